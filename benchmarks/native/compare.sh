#!/bin/sh
# The kernels of another source tree and of this one, in turn: compare.sh OTHER_TREE [base | avx2 | avx512] [part of a name]
set -eu
other=$1 level=${2:-avx2} only=${3:-}
here=$(dirname "$0") build=${TMPDIR:-/tmp}/thinc-compare
case $level in
  avx512) flags="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512" ;;
  avx2) flags="-mavx2 -mfma" ;;
  *) flags="" ;;
esac
flags="-O3 -std=c++17 -fno-math-errno -fno-trapping-math -fopenmp-simd $flags"
mkdir -p "$build"
for side in before after; do
  tree=$here/../..
  [ $side = after ] || tree=$other
  g++ -c "$here/kernels_side.cc" -o "$build/$side.o" -DTHINC_ISA=$side -I"$tree/include" \
    -I"$tree/thinc/backends/_kernels" $flags &
done
g++ -c "$here/kernels_bench.cc" -o "$build/bench.o" -O2 -std=c++17
wait
g++ "$build/before.o" "$build/after.o" "$build/bench.o" -o "$build/bench"
"$build/bench" "$only"
