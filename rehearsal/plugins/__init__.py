"""Stand-ins for the providers of ``aws``, ``gcp`` and ``azure-native``, so that an unmodified Pulumi program runs here.

They are provider plugins in Pulumi's own protocol, for Pulumi's engine and for the embedded one, and serve rehearsals
only. Inputs are checked against the types of Pulumi's SDKs. Objects really lie in moto where it serves their type, else
in a strict store of our own; ``python -m trivet.rehearsal.plugins --list`` says which. What they prove is shapes,
references, order and replacement, not what a cloud's service would say. One file per concern:

================  =======================================================================================
``path``          puts the stand-ins where the engines look for plugins
``guards``        what keeps them in rehearsals and on this machine
``__main__``      one plugin's process
``servicer``      Pulumi's provider protocol
``packages``      what one package serves, and which inputs make another object
``checks``        inputs held against the SDK's types
``sdk``           what the SDKs declare
``naming``        names for what the program leaves without one
``compare``       what differs, and what that means
``kinds``         one resource type; a type in the strict store
``store``         the strict store
``aws``           over moto (``moto``, ``words``, ``clients``), its types by area, and what is only stored
``gcp``           its types, all in the strict store
``azure``         its types, all in the strict store
``listing``       what is served, and by what
================  =======================================================================================

``replacements.json`` is written by ``tools/replacements.py``. A new type is one entry in the table of its package:
one line to a few in the strict store, about fifteen in moto. The tests then make, read, compare, change and delete it.
"""
