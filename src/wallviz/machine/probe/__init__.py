"""How fast this machine moves bytes: measured on its CPU, its GPUs and in the visitor's browser, by one protocol into one record.

Nothing here is needed to start: drivers and GPU packages are imported inside functions, and a path that is not there is a reason
(`reasons`), never an exception. The arithmetic of every path is one table (`kernels`), its result one record (`record`).
"""
