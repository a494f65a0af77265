"""What X says, read without any I/O: its answers, its refusals and its limits."""
