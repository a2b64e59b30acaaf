"""What Pulumi runs."""

from trivet.infra.program import main

main()
