"""Why an attempt cannot go on, by whose fault it is.

Stop
├── Infrastructure   the model's endpoint, its key, the gateway: not the agent's fault
├── Ended            the gateway has ended the attempt, and knows why
└── Rejected         the endpoint does not take what the agent has made
"""


class Stop(Exception):
    """The message says what was expected and found."""


class Infrastructure(Stop):
    pass


class Ended(Stop):
    pass


class Rejected(Stop):
    pass
