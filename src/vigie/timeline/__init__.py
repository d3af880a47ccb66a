"""Verdicts over time: when it began, the last clean version of each file, and what to restore. Pure."""

from vigie.timeline.affected import Affected, affected
from vigie.timeline.attack import Attack, Hit, Note, Wave, attack
from vigie.timeline.coverage import one_machine
from vigie.timeline.document import Document, Sighting
from vigie.timeline.naming import short
from vigie.timeline.plan import Choice, Lost, Plan, Why, plan
from vigie.timeline.retention import Caution, Oddity, Policy, cautions, clean_in
from vigie.timeline.story import Change, Row, Story, Timeline
from vigie.timeline.triage import Look, look

__all__ = [
    "Affected",
    "Attack",
    "Caution",
    "Change",
    "Choice",
    "Document",
    "Hit",
    "Look",
    "Lost",
    "Note",
    "Oddity",
    "Plan",
    "Policy",
    "Row",
    "Sighting",
    "Story",
    "Timeline",
    "Wave",
    "Why",
    "affected",
    "attack",
    "cautions",
    "clean_in",
    "look",
    "one_machine",
    "plan",
    "short",
]
