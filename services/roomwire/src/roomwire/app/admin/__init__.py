"""The namespace `/admin`, to which the official admin UI of Socket.IO connects: the clients and servers of all gateways."""
