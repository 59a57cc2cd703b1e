# Sourced by the scripts here, with $venv set: `uv` installs to $venv from the sources that pip is set up with.
pip_setting() { "$venv/bin/python" -m pip config get "global.$1" 2>/dev/null || true; }
export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$(pip_setting find-links)}}
index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(pip_setting index-url)}}
[[ -z $index ]] || export UV_DEFAULT_INDEX=$index
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180} VIRTUAL_ENV=$venv
uv=("$venv/bin/uv" pip install --python "$venv/bin/python")
