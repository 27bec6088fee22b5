"""Doubles of the upstream APIs that the backends call, and the names of the outside.

No recording holds them: each answer has the shape in which the published servers read it.

lab/box/outside.py starts it in the namespace `wan` together with the box.
"""
