"""Build: every .pyx is an extension; the kernels are compiled once per CPU level into one of them."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
KERNELS = "thinc/backends/_kernels"
HEADERS = sorted(
    str(path.relative_to(ROOT))
    for folder in (ROOT / "include", ROOT / KERNELS, ROOT / "thinc" / "backends")
    for path in folder.rglob("*.hh")
)
MSVC = sys.platform == "win32"
X86 = any(name in sysconfig.get_platform().lower() for name in ("x86_64", "amd64", "win32", "i686")) or (
    "universal2" in sysconfig.get_platform() and os.uname().machine == "x86_64"
)

FLAGS = (
    ["/std:c++17", "/O2", "/openmp:experimental"]
    if MSVC
    else ["-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-fvisibility=hidden"]
)
# Wrappers are call overhead, not loops: -O2 builds faster and runs the same.
WRAPPER_FLAGS = FLAGS if MSVC else ["-O2" if flag == "-O3" else flag for flag in FLAGS] + ["-Wno-cpp"]

# Of the kernels alone. GCC takes the ends of a clipped argument for cases, of which a loop over vectors computes each.
# (clang does not, and does not know the flag.)
NO_CASES = ["-fno-thread-jumps"]

# The CPU levels and what the compiler must be told for each. arm64 has NEON in its baseline.
ISA_FLAGS = {"base": []}
if X86 and MSVC:
    ISA_FLAGS.update(avx2=["/arch:AVX2"], avx512=["/arch:AVX512"])
elif X86:
    avx2 = ["-mavx2", "-mfma", "-mf16c"]
    avx512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]
    ISA_FLAGS.update(avx2=avx2, avx512=avx2 + avx512)

# Those with instructions for bytes: a level that adds products of 8 bits to the one below. MSVC has no flags for them.
INT8_FLAGS = {}
if X86 and not MSVC:
    INT8_FLAGS.update(avx2_vnni=avx2 + ["-mavxvnni"], avx512_vnni=avx2 + avx512 + ["-mavx512vnni"])
elif not MSVC and any(name in sysconfig.get_platform() for name in ("arm64", "aarch64")):
    INT8_FLAGS.update(dotprod=["-march=armv8.2-a+dotprod"])

SANITIZE = os.environ.get("THINC_SANITIZE")  # "address,undefined": see `make sanitize`
if SANITIZE:
    FLAGS += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-g"]
    WRAPPER_FLAGS += [f"-fsanitize={SANITIZE}", "-g"]


def linked_blas():
    """Macros and settings of compiler and linker for what THINC_BLAS or THINC_BLAS_LIBS names, if they name one."""
    name = os.environ.get("THINC_BLAS", "accelerate" if sys.platform == "darwin" else "")
    libs, cflags = os.environ.get("THINC_BLAS_LIBS", ""), os.environ.get("THINC_BLAS_CFLAGS", "")
    if not (name or libs):
        return {}
    macros = [("THINC_LINKED_BLAS", f'"{name or libs}"')]
    if os.environ.get("THINC_BLAS_PREFIX"):
        macros.append(("THINC_BLAS_PREFIX", os.environ["THINC_BLAS_PREFIX"]))
    if name == "accelerate" and not libs:
        return {"define_macros": macros, "extra_link_args": ["-framework", "Accelerate"]}
    flags, words = (shlex.split(cflags), shlex.split(libs)) if libs else pkg_config(name)
    return {
        "define_macros": macros,
        "extra_compile_args": flags,
        "extra_link_args": words + [f"-Wl,-rpath,{word[2:]}" for word in words if word.startswith("-L")],
    }


def pkg_config(name):
    """The flags of the compiler and of the linker."""
    package = {"mkl": "mkl-static-lp64-seq"}.get(name, name)
    try:
        return [
            subprocess.run(["pkg-config", flag, package], check=True, capture_output=True, text=True).stdout.split()
            for flag in ("--cflags", "--libs")
        ]
    except (OSError, subprocess.CalledProcessError) as e:
        raise SystemExit(
            f"THINC_BLAS={name}: pkg-config does not find {package!r}. Install its development files, set "
            "PKG_CONFIG_PATH to the folder of its .pc file, or say what to link in THINC_BLAS_LIBS, such as "
            f"'-L/opt/blas/lib -lblis'. ({e})"
        ) from None


def extensions():
    for path in sorted((ROOT / "thinc").rglob("*.pyx")):
        source = str(path.relative_to(ROOT))
        name = source[: -len(".pyx")].replace(os.sep, ".")
        settings = {
            "include_dirs": ["include", KERNELS, "thinc/backends", numpy.get_include()],
            "define_macros": [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
            "extra_compile_args": list(WRAPPER_FLAGS),
            "extra_link_args": [f"-fsanitize={SANITIZE}"] if SANITIZE else [],
            "depends": HEADERS,
        }
        if name == "thinc.backends._kernels.gemm":
            for key, value in linked_blas().items():
                settings[key] = settings[key] + value
        yield Extension(name, [source], language="c++", **settings)


class BuildKernels(build_ext):
    """build_ext that compiles in parallel, and kernels.cc once per CPU level."""

    def initialize_options(self):
        super().initialize_options()
        self.begun = 0
        self.parallel = int(os.environ.get("THINC_BUILD_JOBS", os.cpu_count() or 1))

    def build_extension(self, ext):
        sources = [*ext.sources, *ext.depends]
        if ext.name == "thinc.backends._kernels.levels":
            sources += [
                "setup.py",
                *(f"{KERNELS}/{name}.cc" for name in ("kernels", "int8_kernels", "dispatch", "threads")),
            ]
        target = self.get_ext_fullpath(ext.name)
        in_place = ROOT / os.path.relpath(target, self.build_lib)
        if self.editable_mode and not self.is_older(in_place, sources):
            # `pip install -e` builds in a temporary folder, to copy it here in the end.
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(in_place, target)
            return
        stale = self.force or self.is_older(target, sources)
        if ext.name == "thinc.backends._kernels.levels" and stale:
            objects = self.compile_kernels()
            ext.extra_objects = objects
            # setuptools compares the extension with its sources and `depends` only.
            ext.depends = ext.depends + objects
        if stale:
            self.tell(ext.name)
        super().build_extension(ext)

    def tell(self, what):
        """A line for each thing to compile, if the build is asked for them."""
        self.begun += 1
        if os.environ.get("THINC_BUILD_LINES"):
            print(
                f"  {self.begun:>2} of {len(self.extensions) + len(ISA_FLAGS) + len(INT8_FLAGS) + 2}  {what}",
                flush=True,
            )

    def compile_kernels(self):
        common = FLAGS + NO_CASES if not MSVC and self.knows(NO_CASES) else FLAGS
        int8 = {isa: flags for isa, flags in INT8_FLAGS.items() if self.knows(flags)}
        levels = [(f"THINC_HAS_{isa.upper()}", "1") for isa in (*ISA_FLAGS, *int8)]
        jobs = [(isa, f"{KERNELS}/kernels.cc", [("THINC_ISA", isa)], flags) for isa, flags in ISA_FLAGS.items()]
        jobs += [(isa, f"{KERNELS}/int8_kernels.cc", [("THINC_ISA", isa)], flags) for isa, flags in int8.items()]
        jobs.append(("dispatch", f"{KERNELS}/dispatch.cc", levels, []))
        jobs.append(("dispatch", f"{KERNELS}/threads.cc", [], [] if MSVC else ["-pthread"]))
        objects = []
        for folder, source, macros, flags in jobs:
            output_dir = os.path.join(self.build_temp, folder)
            (target,) = self.compiler.object_filenames([source], output_dir=output_dir)
            if self.force or self.is_older(target, [source, "setup.py", *HEADERS]):
                self.tell(f"{source} ({folder})")
                self.compiler.compile(
                    [source],
                    output_dir=output_dir,
                    macros=macros,
                    include_dirs=["include", KERNELS],
                    extra_postargs=common + flags,
                )
            objects.append(target)
        return objects

    def knows(self, flags):
        """Whether the compiler takes these flags: those of recent CPUs are younger than what we ask of it."""
        command = [*self.compiler.compiler_so, *flags, "-fsyntax-only", "-x", "c++", os.devnull]
        return subprocess.run(command, capture_output=True).returncode == 0

    @staticmethod
    def is_older(target, sources):
        if not os.path.exists(target):
            return True
        built = os.path.getmtime(target)
        return any(os.path.getmtime(source) > built for source in sources)

    def run(self):
        super().run()
        strip = shutil.which("strip")
        if strip and sys.platform.startswith("linux") and not (SANITIZE or self.debug or self.inplace):
            for ext in self.extensions:
                subprocess.run([strip, "--strip-unneeded", self.get_ext_fullpath(ext.name)], check=True)


class BuildHeaders(build_py):
    """build_py that adds the headers as thinc/include. An editable install reads them where they are."""

    def headers(self):
        target = os.path.join(self.build_lib, "thinc", "include")
        return {os.path.join(target, path.name): path for path in sorted((ROOT / "include" / "thinc").glob("*.hh"))}

    def run(self):
        super().run()
        if not self.editable_mode:
            for target, path in self.headers().items():
                self.mkpath(os.path.dirname(target))
                self.copy_file(str(path), target)

    def get_outputs(self, include_bytecode=True):
        return super().get_outputs(include_bytecode) + ([] if self.editable_mode else list(self.headers()))


if __name__ == "__main__":
    setup(
        packages=["thinc.training.configs"]
        + [
            str(path.parent.relative_to(ROOT)).replace(os.sep, ".")
            for path in sorted((ROOT / "thinc").rglob("__init__.py"))
        ],
        # (said, so that an editable install is a path: type checkers do not run setuptools' finder of modules)
        package_dir={"": "."},
        package_data={"": ["*.pxd", "*.pyx", "*.hh", "*.cu", "*.cfg", "*.pyi", "py.typed"]},
        ext_modules=cythonize(
            list(extensions()),
            compiler_directives={
                "language_level": 3,
                "binding": True,
                "embedsignature": False,
                "freethreading_compatible": True,
            },
            include_path=["."],
            nthreads=0,
            quiet=True,
        ),
        cmdclass={"build_ext": BuildKernels, "build_py": BuildHeaders},
        zip_safe=False,
    )
