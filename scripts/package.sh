#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds the Debian packages drip, dripctl, libdrip-dev and drip-doc for Debian 12.
#
#   scripts/package.sh [--march CPU] [--lintian] [OUTDIR]
#
#   OUTDIR       where packages, sources and the .changes file go [out/packages]
#   --march CPU  as for -march; x86-64-v2 unless given, x86-64-v3 for newer machines only
#   --lintian    checks the packages; errors and warnings fail
#
# What git knows of the working tree is packed, with changes that are not committed. Where ccache is
# installed it is used. docs/decisions/0022-packages.md says why it is done so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

march=x86-64-v2
lintian=
outdir=
while [[ $# -gt 0 ]]; do
  case $1 in
    --march)
      march=${2:?--march needs a CPU}
      shift 2
      ;;
    --lintian)
      lintian=1
      shift
      ;;
    -h | --help)
      sed -n '3,12s/^# \{0,1\}//p' scripts/package.sh
      exit 0
      ;;
    -*)
      echo "package.sh: '$1' is not known (see --help)" >&2
      exit 2
      ;;
    *)
      [[ -z $outdir ]] || {
        echo "package.sh: '$1': one OUTDIR, not two (see --help)" >&2
        exit 2
      }
      outdir=$1
      shift
      ;;
  esac
done

scripts/install_packages.sh build package

# At the same path each time, so that ccache finds what it has compiled before.
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' scripts/packaging/debian/changelog)
work=$PWD/build-package
tree=$work/drip-$version
rm -rf "$work"
mkdir -p "$tree"
git -c safe.directory='*' ls-files -z -co --exclude-standard |
  while IFS= read -r -d '' path; do
    if [[ -f $path ]]; then printf '%s\0' "$path"; fi
  done | tar --null -T - -cf - | tar -C "$tree" -xf -
# What starts with a dot is for development alone.
rm -rf "${tree:?}"/.[!.]*
mv "$tree/scripts/packaging/debian" "$tree/debian"

export MARCH=$march
parallel=$(nproc)
export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} parallel=$parallel"
if command -v ccache >/dev/null; then
  export CXX='ccache g++' CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
fi
(cd "$tree" && dpkg-buildpackage --no-sign --build=full)

outdir=${outdir:-out/packages}
mkdir -p "$outdir"
changes=drip_${version}_$(dpkg --print-architecture).changes
find "$work" -maxdepth 1 -type f -exec mv -t "$outdir" {} +
echo "Packages are in $outdir:"
(cd "$outdir" && ls -- *_"$version"_*.deb)
if [[ -n $lintian ]]; then
  # Root may run it here: nothing is taken from a package but its files.
  lintian --allow-root --fail-on error,warning "$outdir/$changes"
  echo "lintian: no errors, no warnings"
fi
