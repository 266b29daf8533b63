"""The code that shares a process with a student's, and the wire to it that both sides speak.

This folder, and nothing else of the staff's, is mounted into the sandbox, where it is the package `gradlab_host`. So it
imports nothing of its surroundings, and its own modules by relative names.
"""
