"""Run in the environment of Inspect by test_inspect.py: the example's task with a model of fixed answers.

    python inspect_play.py TASK_FILE SNAPSHOTS GATEWAYS LOGS OUTPUTS [EPOCHS]

OUTPUTS is a JSON list: a text, or `{"tool", "arguments"}`. Prints one line: status, scores, errors, messages.
"""

import json
import sys
from pathlib import Path

from inspect_ai import eval as evaluate
from inspect_ai.model import ModelOutput, ModelUsage, get_model

MODEL = "mockllm/model"


def main() -> None:
    task, snapshots, gateways, logs, outputs, *epochs = sys.argv[1:]
    answers = [
        ModelOutput.from_content(MODEL, one)
        if isinstance(one, str)
        else ModelOutput.for_tool_call(MODEL, one["tool"], one["arguments"])
        for one in json.loads(outputs)
    ]
    for answer in answers:
        # Without it the mock model counts by a table that it fetches from the network.
        answer.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    sys.path.insert(0, str(Path(task).parent))
    from incidents import incidents

    (log,) = evaluate(
        incidents(snapshots, gateways, turns=4),
        model=get_model(MODEL, custom_outputs=answers),
        log_dir=logs,
        display="none",
        epochs=int(epochs[0]) if epochs else 1,
        fail_on_error=False,
    )
    samples = log.samples or []
    told = {
        "status": log.status,
        "error": log.error.message if log.error else "",
        "values": [next(iter(sample.scores.values())).value if sample.scores else None for sample in samples],
        "errors": [sample.error.message if sample.error else "" for sample in samples],
        "messages": [[(message.role, message.text) for message in sample.messages] for sample in samples],
        "metrics": {one.name: {k: m.value for k, m in one.metrics.items()} for one in log.results.scores}
        if log.results
        else {},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
