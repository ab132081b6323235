#!/bin/sh
# Runs threads and arena under ThreadSanitizer, and the kernels for narrow weights, in all that this CPU has, under
# AddressSanitizer and UndefinedBehaviorSanitizer; then builds the package with AddressSanitizer and
# UndefinedBehaviorSanitizer into build/sanitize, and runs the tests that reach the kernels.
# PYTHON: an interpreter with the build requirements and pytest.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/sanitize
kernels=thinc/backends/_kernels
${CXX:-g++} -std=c++17 -O1 -g -fsanitize=thread -fopenmp-simd -pthread -DTHINC_ISA=base -Iinclude -I$kernels \
  tests/native/threads.cc $kernels/threads.cc $kernels/dispatch.cc $kernels/kernels.cc -o build/sanitize/threads
TSAN_OPTIONS=halt_on_error=1 build/sanitize/threads
for flags in "" "-mavx2 -mfma -mf16c" -march=native; do
  case "$flags$(uname -m)" in -mavx2*aarch64 | -mavx2*arm64) continue ;; esac
  ${CXX:-g++} -std=c++17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-math-errno -fopenmp-simd \
    $flags -Iinclude tests/native/int8.cc -o build/sanitize/int8
  build/sanitize/int8
done
python=${PYTHON:-python3}
lib=build/sanitize/lib
THINC_SANITIZE=address,undefined "$python" setup.py -q build -b build/sanitize --build-lib $lib
rm -rf $lib/tests
cp -R tests pyproject.toml $lib/
cd $lib # so that this thinc is the one imported
# NVIDIA's compilers do not run under it, and none of our code runs in them.
# Python itself is not instrumented, so the runtimes come first by hand; what it never frees is no leak of ours.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
THINC_EMULATION_FLAGS="-fsanitize=address,undefined -g" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
"$python" -m pytest -q -p no:cacheprovider -m "not slow and not gpu" -k "not nvrtc and not nvcc" \
  --ignore tests/backends/test_c_interfaces.py tests/backends tests/layers tests/extra
