"""The tools that an agent calls over MCP: typed questions, bounded answers.

A tool holds no rule of its own about what may be seen. It asks the gateway's own HTTP routes, in process and
as the attempt that called (`call.Reads`), and turns their answers into text. So nothing in here talks to an
outside system, and no module of this package may import `gateway.upstream`, `gateway.objects` or the like.
"""
