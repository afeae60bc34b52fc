"""The pretended world in which the kit runs scripts: one clock, one loop, a network that exists on paper.

What happens between two calls of the kit is nothing: code of a script runs while the kit waits for it, and stops
where it would wait. Nothing here is used by the daemon.
"""

from siphon_sdk._world.errors import RealNetwork, WorldClosed
from siphon_sdk._world.http import Http, HttpRequest
from siphon_sdk._world.names import Net
from siphon_sdk._world.world import World

__all__ = ["Http", "HttpRequest", "Net", "RealNetwork", "World", "WorldClosed"]
