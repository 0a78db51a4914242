"""What a worker counts, and how all workers of a host are shown as one."""
