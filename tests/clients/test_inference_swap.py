"""Versions are swapped under load of unmodified tritonclients, HTTP and gRPC: nobody sees an error, and memory stays. The long form: `make faults SUITE=swap N=500`."""
from serve_support import Serve
from swap_load import is_flat, swap_run


def test_swaps_under_load_fail_nobody_and_keep_memory_flat(tmp_path):
    with Serve(tmp_path).running() as serve:
        verdict = swap_run(serve, 40, seed=1)
    assert verdict["swaps"] == 40 and not verdict["failures"], verdict["failures"][:5]
    assert verdict["answered"] >= 400 and is_flat(verdict), verdict["memory"]
