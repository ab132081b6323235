"""New arrays for the wrappers."""
cimport numpy as np

# Uninitialised, of numbers; in the memory of arena.hh unless it is small.
cdef np.ndarray new_array(int n_dims, np.npy_intp* shape, int typenum, bint fortran=*)
