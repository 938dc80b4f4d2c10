"""The Lambda function that publishes the morning report.

It runs outside the network, whose isolated subnets do not reach SNS, and asks the API's function within it. It uses the boto3 of
Lambda's own runtime, and no layer.
"""

import datetime as dt
import logging
import os
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import boto3

from report import render
from report.client import ApiFunction
from report.content import compose

_MARGIN_SECONDS = 45.0
"""Leaves time to answer the last question, and to publish."""
_LONGEST_SUBJECT = 99
"""Amazon SNS API reference, `Publish`: ASCII, less than 100 characters, no line break."""

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def handler(event: Mapping[str, str], context: Any) -> dict[str, str]:  # noqa: ANN401 - Lambda's
    """Publish the report of the day that an event names.

    Parameters
    ----------
    event
        The `scheduled_time` of a schedule, or the `date` itself.

    Returns
    -------
    dict
        The `date`, and the `subject` of the message.

    Raises
    ------
    ReportError
        If the API does not answer; nothing is published.
    """
    date = reported_day(event)
    remaining = context.get_remaining_time_in_millis() / 1_000 - _MARGIN_SECONDS
    api = ApiFunction(
        boto3.client("lambda"),
        os.environ["API_FUNCTION"],
        os.environ["API_AUTH"],
        time.monotonic() + remaining,
    )
    document = compose(api.get, date, Decimal(os.environ["OBJECTIVE"]))
    subject = f"logstats {os.environ['ENVIRONMENT']}, {date}: {document.summary}"[:_LONGEST_SUBJECT]
    boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Subject=subject, Message=render.text(document))
    logger.info("Report published: %s", date)
    return {"date": str(date), "subject": subject}


def reported_day(event: Mapping[str, str]) -> dt.date:
    """Return the UTC day that an event asks for: the one before the day of its scheduled time, or its date.

    The schedule's time decides, and not the clock: a run that comes late, or again, reports the same day.
    """
    if "date" in event:
        return dt.date.fromisoformat(event["date"])
    scheduled = dt.datetime.fromisoformat(event["scheduled_time"])
    return scheduled.astimezone(dt.UTC).date() - dt.timedelta(days=1)
