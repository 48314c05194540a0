"""The whole story, clicked through in a browser over web, worker, clock and sandbox: a template is sent, fails in
passing, is tried again, dies, is redriven by a person, and arrives."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Browser, Page, expect

from core.ports.bell import SilentBell
from core.ports.clock import SystemClock
from core.ports.graph import Graph
from core.ports.vault import Vault
from core.runtime import Runtime
from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from core.settings import Settings
from core.team.commands import sign_in
from core.unit import ANONYMOUS
from data.engine import open_database
from tests.conftest import APP_SECRET, PASSWORD, make_place
from tests.console import COOKIE, ROOT, wait_until_answers
from tests.pages.conftest import WIDE, ready

RECIPIENT = "+4915112340042"
