"""Call the compiled C interfaces from Python, as a client built elsewhere would.

Types are looked up by module attribute, functions by capsule name, methods by slot.
"""

import ctypes
from typing import Any, Dict, List, Type

import numpy

_name = ctypes.pythonapi.PyCapsule_GetName
_name.restype, _name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = (ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p])

VOID_P, INT, FLOAT, DOUBLE = (ctypes.c_void_p, ctypes.c_int, ctypes.c_float, ctypes.c_double)
UINT64, OBJECT = ctypes.c_uint64, ctypes.py_object


def capsule_name(capsule: Any) -> Any:
    name = _name(capsule)
    return None if name is None else name.decode()


def capsule_pointer(capsule: Any) -> int:
    return _pointer(capsule, _name(capsule))


def capi(module: Any) -> Dict[str, int]:
    """Address of every exported C function."""
    return {name: capsule_pointer(c) for name, c in module.__pyx_capi__.items()}


def vtable(cls: Type, slots: int) -> List[int]:
    table = capsule_pointer(vars(cls)["__pyx_vtable__"])
    return list((VOID_P * slots).from_address(table))


def c_function(address: int, result: Any, *args: Any) -> Any:
    """A function that needs no GIL."""
    return ctypes.CFUNCTYPE(result, *args)(address)


def py_function(address: int, result: Any, *args: Any) -> Any:
    """A function that needs the GIL and may raise."""
    return ctypes.PYFUNCTYPE(result, *args)(address)


def field(obj: Any, offset: int, ctype: Any) -> Any:
    """The value of a C field of an extension object; the offset is that where an object itself takes 16 bytes."""
    return ctype.from_address(id(obj) + object.__basicsize__ - 16 + offset).value


def address(array: numpy.ndarray) -> int:
    return array.ctypes.data
