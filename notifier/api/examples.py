"""What each format looks like, for the API's description."""

from __future__ import annotations

from typing import Any

SETTLED: dict[str, Any] = {
    "events": [
        {
            "id": "01935a9c-7c1a-7c1e-a5b2-0f8c9a4d2b11",
            "repeated": False,
            "incident_key": "c0ffee5eed5eed5e",
        }
    ]
}

OF_FORMAT: dict[str, Any] = {
    "notifier": {"description": "Disk full", "level": 2, "tags": ["host=db1"]},
    "alertmanager": {
        "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}',
        "receiver": "notifier",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
                "annotations": {"summary": "The disk of db1 is full"},
                "startsAt": "2026-11-23T09:30:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://prometheus.example.org/graph?g0.expr=disk",
                "fingerprint": "c0ffee5eed5eed5e",
            }
        ],
    },
    "grafana": {
        "version": "1",
        "orgId": 1,
        "groupKey": '{}:{alertname="DiskFull"}',
        "receiver": "notifier",
        "status": "firing",
        "state": "alerting",
        "title": "[FIRING:1] DiskFull",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "DiskFull", "instance": "db1"},
                "annotations": {"summary": "The disk of db1 is full"},
                "startsAt": "2026-11-23T09:30:00Z",
                "panelURL": "https://grafana.example.org/d/disks?viewPanel=1",
                "fingerprint": "c0ffee5eed5eed5f",
            }
        ],
    },
    "cloudevents": {
        "specversion": "1.0",
        "id": "4711",
        "source": "https://example.org/disks",
        "type": "org.example.disk.opened",
        "subject": "db1",
        "severitynumber": 21,
        "data": {"description": "The disk of db1 is full"},
    },
    "pagerduty": {
        "event_action": "trigger",
        "dedup_key": "db1/disk",
        "payload": {
            "summary": "The disk of db1 is full",
            "source": "db1",
            "severity": "critical",
        },
    },
    "mapped": {"message": "The disk of db1 is full", "host": "db1", "state": "DOWN"},
    "standard-webhooks": {
        "type": "disk.opened",
        "timestamp": "2026-11-23T09:30:00Z",
        "data": {"description": "The disk of db1 is full", "incident_key": "db1/disk"},
    },
}
