"""What `doctor` looks at: this machine, its agent, and the network as that agent sees it. A check is a Finding."""

from .finding import Finding, Findings
from .machine import machine
from .network import network

__all__ = ["Finding", "Findings", "machine", "network"]
