"""One LoadGen scenario against the raw runtime in this process or our server over HTTP; prints LoadGen's own figures. Unofficial: no MLPerf result.

    python loadgen.py SCENARIO raw|HOST:PORT MODEL SECONDS
"""
import array
import json
import pathlib
import queue
import re
import sys
import tempfile
import threading

import mlperf_loadgen as loadgen
import numpy

SAMPLES, OFFLINE_BATCH, WORKERS = 1024, 256, 2
# 90th and 99th percentiles of a query; samples a second.
FIGURES = {"SingleStream": r"90\.00 percentile latency \(ns\)\s*:\s*(\d+)", "MultiStream": r"99\.00 percentile latency \(ns\)\s*:\s*(\d+)",
           "Offline": r"Samples per second\s*:\s*([\d.e+]+)", "Server": r"99\.00 percentile latency \(ns\)\s*:\s*(\d+)"}


def raw(model: str):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: lambda rows: session.run(["label"], {"pixels": rows})[0]


def served(address: str):
    import tritonclient.http as triton

    def connect():
        client = triton.InferenceServerClient(address)

        def ask(rows: numpy.ndarray) -> numpy.ndarray:
            tensor = triton.InferInput("pixels", list(rows.shape), "FP32")
            tensor.set_data_from_numpy(rows)
            return client.infer("digits", [tensor], outputs=[triton.InferRequestedOutput("label")]).as_numpy("label")
        return ask
    return connect


def run(settings, issue) -> str:
    """LoadGen's summary of one test."""
    output, logs = loadgen.LogOutputSettings(), loadgen.LogSettings()
    with tempfile.TemporaryDirectory() as folder:
        output.outdir, logs.log_output = folder, output
        system, library = loadgen.ConstructSUT(issue, lambda: None), loadgen.ConstructQSL(SAMPLES, SAMPLES, lambda _: None, lambda _: None)
        loadgen.StartTestWithLogSettings(system, library, settings, logs)
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
        return (pathlib.Path(folder) / "mlperf_log_summary.txt").read_text()


def main() -> None:
    scenario, where, model, seconds = sys.argv[1:]
    data = numpy.random.default_rng(1).random((SAMPLES, 64), numpy.float32)
    connect = raw(model) if where == "raw" else served(where)
    expected = numpy.concatenate([raw(model)()(data[at:at + OFFLINE_BATCH]) for at in range(0, SAMPLES, OFFLINE_BATCH)])
    wrong = 0

    def answer(ask, samples) -> None:
        nonlocal wrong
        indices = [sample.index for sample in samples]
        labels = numpy.ascontiguousarray(ask(data[indices]))
        wrong += int((labels != expected[indices]).sum())
        kept = [array.array("q", [int(label)]) for label in labels]
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(s.id, *buffer.buffer_info()) for s, buffer in zip(samples, kept)])

    if scenario in ("SingleStream", "MultiStream"):
        own = connect()  # LoadGen asks from one thread, and waits for each
        issue, workers = (lambda samples: answer(own, samples)), []
    else:
        waiting: queue.Queue = queue.Queue()

        def work() -> None:
            ask = connect()
            while (samples := waiting.get()) is not None:
                answer(ask, samples)

        def issue(samples) -> None:
            for at in range(0, len(samples), OFFLINE_BATCH):
                waiting.put(samples[at:at + OFFLINE_BATCH])
        workers = [threading.Thread(target=work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
    settings = loadgen.TestSettings()
    settings.scenario, settings.mode = getattr(loadgen.TestScenario, scenario), loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(float(seconds) * 1000)
    settings.min_query_count = {"SingleStream": 64, "MultiStream": 662, "Offline": 1, "Server": 459}[scenario]
    settings.single_stream_expected_latency_ns = settings.multi_stream_expected_latency_ns = 10_000  # so many queries are drawn beforehand
    settings.multi_stream_samples_per_query = 8
    settings.offline_expected_qps = 24576 / float(seconds)
    settings.server_target_qps, settings.server_target_latency_ns = 200, 10_000_000
    for _ in range(4):
        summary = run(settings, issue)
        figure = float(re.search(FIGURES[scenario], summary).group(1))
        if scenario != "Offline" or "Min duration satisfied : Yes" in summary:
            break
        settings.offline_expected_qps = 1.3 * figure  # how many samples last long enough
    for _ in workers:
        waiting.put(None)
    for worker in workers:
        worker.join()
    if wrong or "satisfied : NO" in re.sub("Performance constraints satisfied : NO", "", summary):
        raise SystemExit(f"{scenario} on {where}: {wrong} wrong answers\n{summary}")
    print(json.dumps({"figure": figure}))


if __name__ == "__main__":
    main()
