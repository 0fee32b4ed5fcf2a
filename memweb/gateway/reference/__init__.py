"""What the pages of the reference show: examples that run, frames and answers as they are on the wire.

Every block of code on those pages is one of the files beside this one, and each file is held by a test that runs
it, or meets the same on a real server (tests/gateway/test_the_examples_of_the_reference.py).
"""
