#!/usr/bin/env bash
# Builds the container image with the first of docker, podman and buildah that works here.
#
#   IMAGE        name and tag, default x-analytics-exporter:VERSION
#   ENGINE       docker, podman or buildah, instead of the first found
#   BASE         the base image, default as in the Dockerfile
#   BUILD_FLAGS  further flags for the engine's build command
set -euo pipefail
cd "$(dirname "$0")/../.."

working_engine() {
  for engine in docker podman; do
    if "$engine" info >/dev/null 2>&1; then
      echo "$engine"
      return
    fi
  done
  if command -v buildah >/dev/null; then
    echo buildah
    return
  fi
  echo "error: none of docker, podman and buildah works here; install one, or start docker's daemon" >&2
  return 1
}

engine=${ENGINE:-$(working_engine)}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' exporter/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
image=${IMAGE:-x-analytics-exporter:$version}

# OCI's own format has no place for the health check.
format=(--format docker)
[[ "$engine" != docker ]] || format=()

# One argument per flag is meant.
# shellcheck disable=SC2086
"$engine" build ${format[@]+"${format[@]}"} ${BUILD_FLAGS:-} ${BASE:+--build-arg "BASE=$BASE"} \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$image" .
echo "built $image with $engine"
