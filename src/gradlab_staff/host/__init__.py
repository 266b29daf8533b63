"""The code that runs in a process with student code, and the wire protocol that both sides use.

Only this folder of the staff's package is mounted into the sandbox, where it is the package `gradlab_host`. So it
imports nothing else of `gradlab_staff`, and its own modules by relative names.
"""
