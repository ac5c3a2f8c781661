"""What people see: command line (cli/), terminal and web. Imports core, the read side of store, and agent.client."""
