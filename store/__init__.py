"""What is remembered: databases behind one contract (contract.py). Imports core only; the agent writes, the faces read."""
