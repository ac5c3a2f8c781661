"""What is remembered: databases behind one contract (contract.py). Imports core; the agent writes."""
