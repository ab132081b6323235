"""Which framework an object belongs to, and conversions between frameworks."""

import sys
from typing import TYPE_CHECKING, Any, Optional, cast

import numpy

from .. import compat
from ..backends import CupyOps, MPSOps, NumpyOps, Ops, get_current_ops
from ..types import ArrayXd

if TYPE_CHECKING:
    import jax
    import mxnet as mx
    import tensorflow as tf
    import torch


def is_numpy_array(obj: Any) -> bool:
    """Whether this is a numpy array."""
    return isinstance(obj, numpy.ndarray)


def is_cupy_array(obj: Any) -> bool:
    """Whether this is a cupy array.

    obj: anything.

    >>> is_cupy_array(numpy.zeros(3))
    False
    """
    return _is_instance_of(obj, "cupy", "ndarray")


def is_xp_array(obj: Any) -> bool:
    """Whether this is a numpy or a cupy array."""
    return isinstance(obj, numpy.ndarray) or is_cupy_array(obj)


def is_torch_array(obj: Any) -> bool:
    """Whether this is a torch tensor."""
    return _is_instance_of(obj, "torch", "Tensor")


def is_torch_cuda_array(obj: Any) -> bool:
    """Whether this is a torch tensor on a CUDA GPU."""
    return is_torch_array(obj) and obj.is_cuda


def is_torch_mps_array(obj: Any) -> bool:
    """Whether this is a torch tensor on a Metal GPU."""
    return is_torch_array(obj) and getattr(obj, "is_mps", False)


def is_torch_gpu_array(obj: Any) -> bool:
    """Whether this is a torch tensor on a CUDA or Metal GPU."""
    return is_torch_cuda_array(obj) or is_torch_mps_array(obj)


def is_tensorflow_array(obj: Any) -> bool:
    """Whether this is a TensorFlow tensor; False until enable_tensorflow()."""
    return compat.has_tensorflow and isinstance(obj, compat.tensorflow.Tensor)


def is_tensorflow_gpu_array(obj: Any) -> bool:
    """Whether this is a TensorFlow tensor on a GPU."""
    return is_tensorflow_array(obj) and "GPU:" in obj.device


def is_mxnet_array(obj: Any) -> bool:
    """Whether this is an MXNet array; False until enable_mxnet()."""
    return compat.has_mxnet and isinstance(obj, compat.mxnet.nd.NDArray)


def is_mxnet_gpu_array(obj: Any) -> bool:
    """Whether this is an MXNet array on a GPU."""
    return is_mxnet_array(obj) and obj.context.device_type != "cpu"


def is_jax_array(obj: Any) -> bool:
    """Whether this is a JAX array."""
    return _is_instance_of(obj, "jax", "Array")


def _is_instance_of(obj: Any, package: str, class_name: str) -> bool:
    # A package nobody imported cannot have made the object: ask without importing.
    module = sys.modules.get(package)
    if module is None:
        return False
    cls = getattr(module, class_name, None)
    return cls is not None and isinstance(obj, cls)


def assert_pytorch_installed() -> None:
    """Raise ImportError unless torch can be imported."""
    if not compat.has_torch:
        raise ImportError("PyTorch support requires torch: pip install thinc[torch]")


def assert_tensorflow_installed() -> None:
    """Raise ImportError unless TensorFlow was enabled."""
    if not compat.has_tensorflow:
        raise ImportError(
            "TensorFlow support requires tensorflow>=2.0.0: "
            "pip install thinc[tensorflow]\n\n"
            "Enable TensorFlow support with thinc.api.enable_tensorflow()"
        )


def assert_mxnet_installed() -> None:
    """Raise ImportError unless MXNet was enabled."""
    if not compat.has_mxnet:
        raise ImportError(
            "MXNet support requires mxnet: pip install thinc[mxnet]\n\n"
            "Enable MXNet support with thinc.api.enable_mxnet()"
        )


def assert_jax_installed() -> None:
    """Raise ImportError unless JAX can be imported."""
    if not compat.has_jax:
        raise ImportError("JAX support requires jax: pip install thinc[jax]")


def assert_onnxruntime_installed() -> None:
    """Raise ImportError unless ONNX Runtime can be imported."""
    if not compat.has_onnxruntime:
        raise ImportError("ONNX support requires onnxruntime: pip install thinc[onnx]")


def get_torch_default_device() -> "torch.device":
    """The torch device that belongs to the current ops.

    >>> import torch
    >>> get_torch_default_device()
    device(type='cpu')
    """
    if not compat.has_torch:
        raise ValueError("Cannot get default Torch device when Torch is not available.")
    torch = compat.torch
    ops = get_current_ops()
    if isinstance(ops, CupyOps):
        return torch.device(f"cuda:{torch.cuda.current_device()}")
    if isinstance(ops, MPSOps):
        return torch.device("mps")
    return torch.device("cpu")


# ------------------------------------------------- conversions to other frameworks
# Arrays on the CPU share their memory with the tensor where the other side can read
# it, else they are copied first. Some layouts end the whole process when they reach
# the importing framework (negative strides in torch, unaligned data in TensorFlow),
# so they must never get there.


def xp2torch(
    xp_tensor: ArrayXd, requires_grad: bool = False, device: Optional["torch.device"] = None
) -> "torch.Tensor":
    """Array -> torch tensor, on `device` or the device of the current ops.

    On the same device both share memory, except that a read-only array, one with
    negative strides and one that is not aligned is copied. The dtype is kept.
    Raises BufferError if the bytes are not in native order.

    xp_tensor: the array.  requires_grad: whether torch follows it.

    >>> import torch
    >>> xp2torch(numpy.ones(3, dtype="f"), requires_grad=True)
    tensor([1., 1., 1.], requires_grad=True)
    """
    assert_pytorch_installed()
    torch = compat.torch
    if isinstance(xp_tensor, numpy.ndarray):
        tensor = torch.from_numpy(_shareable(xp_tensor))
    elif is_cupy_array(xp_tensor):
        if any(stride < 0 for stride in xp_tensor.strides):
            xp_tensor = cast(Any, xp_tensor).copy(order="C")
        tensor = torch.utils.dlpack.from_dlpack(xp_tensor)
    elif hasattr(xp_tensor, "__dlpack__"):
        tensor = torch.utils.dlpack.from_dlpack(xp_tensor)
    else:
        tensor = torch.from_numpy(_shareable(numpy.asarray(xp_tensor)))
    tensor = tensor.to(get_torch_default_device() if device is None else device)
    if requires_grad:
        tensor.requires_grad_()
    return tensor


def torch2xp(torch_tensor: "torch.Tensor", *, ops: Optional[Ops] = None) -> ArrayXd:
    """Torch tensor -> array on its own device, or on that of `ops` if given.

    Memory is shared on the same device; gradients are not followed. bfloat16 becomes
    float32.

    torch_tensor: the tensor.

    >>> import torch
    >>> torch2xp(torch.ones(3, requires_grad=True))
    array([1., 1., 1.], dtype=float32)
    """
    assert_pytorch_installed()
    tensor = torch_tensor.detach()
    if tensor.dtype is compat.torch.bfloat16:
        tensor = tensor.float()  # a type that NumPy does not have
    if tensor.is_cuda:
        if isinstance(ops, NumpyOps):
            return tensor.cpu().numpy()
        return compat.cupy_from_dlpack(compat.torch.utils.dlpack.to_dlpack(tensor))
    array = tensor.cpu().numpy()
    if ops is None or isinstance(ops, NumpyOps):
        return array
    return compat.cupy.asarray(array)


def xp2tensorflow(xp_tensor: ArrayXd, requires_grad: bool = False, as_variable: bool = False) -> "tf.Tensor":
    """Array -> TensorFlow tensor or, with `as_variable`, a tf.Variable.

    A numpy array is copied: TensorFlow aborts on memory that is not aligned to 64
    bytes, and most of numpy's is not. A tensor has no history to stop gradients from;
    `requires_grad` is for variables.

    xp_tensor: the array.

    >>> import tensorflow
    >>> enable_tensorflow()
    >>> xp2tensorflow(numpy.ones(3, dtype="f"))
    <tf.Tensor: shape=(3,), dtype=float32, numpy=array([1., 1., 1.], dtype=float32)>
    """
    assert_tensorflow_installed()
    tf = compat.tensorflow
    if is_cupy_array(xp_tensor):
        array = compat.cupy.ascontiguousarray(xp_tensor)
        tensor = tf.experimental.dlpack.from_dlpack(_dlpack_capsule(array))
    else:
        tensor = tf.convert_to_tensor(xp_tensor)
    if as_variable:
        # A variable can only be made on the device that the tensor is on.
        with tf.device(tensor.device):
            return tf.Variable(tensor, trainable=requires_grad)
    return tensor


def tensorflow2xp(tf_tensor: "tf.Tensor", *, ops: Optional[Ops] = None) -> ArrayXd:
    """TensorFlow tensor -> array on its own device, or on that of `ops` if given.

    tf_tensor: the tensor.

    >>> import tensorflow
    >>> enable_tensorflow()
    >>> tensorflow2xp(tensorflow.ones(3))
    array([1., 1., 1.], dtype=float32)
    """
    assert_tensorflow_installed()
    if is_tensorflow_gpu_array(tf_tensor):
        if isinstance(ops, NumpyOps):
            return tf_tensor.numpy()
        to_dlpack = compat.tensorflow.experimental.dlpack.to_dlpack
        return compat.cupy_from_dlpack(to_dlpack(tf_tensor))
    array: Any = numpy.asarray(tf_tensor.numpy())  # without axes it is a number
    if ops is None or isinstance(ops, NumpyOps):
        return array
    return compat.cupy.asarray(array)


def xp2mxnet(xp_tensor: ArrayXd, requires_grad: bool = False) -> "mx.nd.NDArray":
    """Array -> MXNet array. A numpy array is copied: sharing would lock it.

    xp_tensor: the array.  requires_grad: whether MXNet follows it.

    >>> import mxnet
    >>> enable_mxnet()
    >>> xp2mxnet(numpy.ones(3, dtype="f")).shape
    (3,)
    """
    assert_mxnet_installed()
    nd = compat.mxnet.nd
    if is_cupy_array(xp_tensor):
        array = compat.cupy.ascontiguousarray(xp_tensor)
        tensor = nd.from_dlpack(_dlpack_capsule(array))
    else:
        array = numpy.asarray(xp_tensor, order="C")
        tensor = nd.array(array, dtype=array.dtype)
    if requires_grad:
        tensor.attach_grad()
    return tensor


def mxnet2xp(mx_tensor: "mx.nd.NDArray", *, ops: Optional[Ops] = None) -> ArrayXd:
    """MXNet array -> array on its own device, or on that of `ops` if given.

    mx_tensor: the array.

    >>> import mxnet
    >>> enable_mxnet()
    >>> mxnet2xp(mxnet.nd.ones(3))
    array([1., 1., 1.], dtype=float32)
    """
    assert_mxnet_installed()
    if is_mxnet_gpu_array(mx_tensor) and not isinstance(ops, NumpyOps):
        return compat.cupy_from_dlpack(mx_tensor.detach().to_dlpack_for_write())
    array = mx_tensor.detach().asnumpy()
    if ops is None or isinstance(ops, NumpyOps):
        return array
    return compat.cupy.asarray(array)


def xp2jax(xp_tensor: ArrayXd) -> "jax.Array":
    """Array -> JAX array, always a copy: JAX takes for granted that arrays never change.

    Unless JAX is set to 64 bits (jax_enable_x64), floats become float32 and integers
    int32. Raises ValueError if an integer does not fit, TypeError for other dtypes.
    """
    assert_jax_installed()
    if is_cupy_array(xp_tensor):
        return compat.jax.numpy.array(compat.jax.dlpack.from_dlpack(xp_tensor))
    return compat.jax.numpy.array(for_jax(numpy.asarray(xp_tensor)))


def for_jax(array: numpy.ndarray) -> numpy.ndarray:
    """The array itself if JAX can read it, else a copy: in native byte order, and with
    numbers of 32 bits where JAX would cut off the rest in silence."""
    if array.dtype.kind not in "biufc":
        raise TypeError(f"xp2jax: expected an array of numbers, got dtype {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.itemsize >= 8 and not compat.jax.config.jax_enable_x64:
        if array.dtype.kind in "iu":
            small = numpy.dtype(f"{array.dtype.kind}4")
            limits = numpy.iinfo(small)
            if array.size and (array.max() > limits.max or array.min() < limits.min):
                raise ValueError(
                    f"xp2jax: numbers from {array.min()} to {array.max()} do not fit "
                    f"into {small.name}. Set jax.config.jax_enable_x64 to keep 64 bits"
                )
            return array.astype(small)
        if array.dtype.kind == "f":
            return array.astype("float32")
    return array


def jax2xp(jax_tensor: "jax.Array", *, ops: Optional[Ops] = None) -> ArrayXd:
    """JAX array -> array on its own device, or on that of `ops` if given.

    A copy, as JAX's own memory must not be written to. bfloat16 becomes float32.
    """
    assert_jax_installed()
    if jax_tensor.dtype == compat.jax.numpy.bfloat16:
        jax_tensor = jax_tensor.astype("float32")
    on_gpu = next(iter(jax_tensor.devices())).platform == "gpu"
    if on_gpu and not isinstance(ops, NumpyOps):
        return compat.cupy_from_dlpack(jax_tensor).copy()
    array: Any = numpy.array(jax_tensor)
    if ops is None or isinstance(ops, NumpyOps):
        return array
    return compat.cupy.asarray(array)


def _shareable(array: numpy.ndarray) -> numpy.ndarray:
    """The array itself if torch can share its memory, else a copy in C order."""
    if not array.dtype.isnative:
        raise BufferError(
            f"xp2torch: expected bytes in native order, got dtype {array.dtype.str}. "
            'Convert with array.astype(array.dtype.newbyteorder("="))'
        )
    flags = array.flags
    if not (flags.writeable and flags.aligned):
        return array.copy(order="C")
    # Also of contiguous arrays: an axis of length 0 or 1 may have any stride.
    for stride in array.strides:
        if stride < 0 or stride % array.itemsize:
            return array.copy(order="C")
    return array


def _dlpack_capsule(array: Any) -> Any:
    # CuPy had toDlpack() before arrays learned the __dlpack__ protocol.
    return array.toDlpack() if hasattr(array, "toDlpack") else array.__dlpack__()
