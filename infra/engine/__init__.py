"""Runs an unmodified Pulumi program where the ``pulumi`` CLI is absent, over Pulumi's own gRPC protocols.

It serves the cloud ``local`` and rehearsals only. What it does not implement it refuses by name. One file per concern:

==============  =========================================================================================
``arguments``   the command lines of Pulumi's Automation API that are implemented
``command``     what each of them does; the object that stands in for the CLI
``project``     ``Pulumi.yaml``
``settings``    ``Pulumi.<stack>.yaml``
``update``      one preview, up, refresh or destroy from beginning to end
``gate``        through which every step goes, until an error or Ctrl-C closes it
``monitor``     the service by which the program registers resources: Pulumi's resource monitor
``logs``        the service to which the program and the plugins log: Pulumi's engine service
``remote``      components and methods of providers, which register resources themselves
``callbacks``   calls back into the program
``transforms``  functions of the program through which registrations and function calls go
``hooks``       functions of the program that are called before and after something is done to a resource
``builtin``     what Pulumi serves itself: stack references, resources by URN
``services``    what both have in common: served alike, ended by the first error, the unimplemented named
``steps``       what to do with one resource: check, diff, create, update, replace, same
``deletes``     what to delete, and in which order
``operations``  one create, update or delete, journaled before and after
``setbacks``    failures that an operation goes on after
``outside``     what is taken over from outside: reads, imports, refresh
``providers``   the provider entries of a state, default and explicit, and the provider behind each
``provider``    one resource provider, spoken to in Pulumi's provider protocol
``children``    the child processes, whose life ends with the engine's
``plugins``     the provider plugins among them: executables on PATH, dynamic providers
``policy``      policy packs, spoken to in Pulumi's analyzer protocol
``targets``     which resources an operation may touch
``paths``       property paths, by which options name a part of the inputs
``host``        the language host: the child that runs the program
``state``       the resources of a stack in memory, their order and their integrity
``checkpoint``  the state file in Pulumi's file-backend layout, the journal and its replay
``history``     what was done to a stack before
``crypt``       Pulumi's passphrase secrets
``values``      property values, with Pulumi's markers for secret and unknown
``events``      progress, the event log and the summary
``failures``    exceptions of other processes as one sentence
``limits``      what Pulumi's own engine has and this one has not
==============  =========================================================================================
"""
