"""Read from a log what CloudWatch does (user guide, "Embedded metric format specification"); moto does not."""

import json
from collections.abc import Iterator
from typing import Any

Datum = dict[str, Any]
"""As `PutMetricData` takes it."""


def extracted(log: str) -> Iterator[tuple[str, Datum]]:
    """What CloudWatch extracts from a log: namespaces and data."""
    for line in log.splitlines():
        if '"_aws"' not in line:
            continue
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for names in directive["Dimensions"]:
                    assert all(isinstance(document[name], str) for name in names)
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": metric["Name"],
                            "Unit": metric["Unit"],
                            "Dimensions": [{"Name": name, "Value": document[name]} for name in names],
                            "Values": values if isinstance(values, list) else [values],
                        },
                    )
