"""What Pulumi runs."""

import gc

from trivet.infra.program import main

gc.disable()  # the types of Pulumi's SDKs stay to the end, and to look through them takes a third of the time
main()
