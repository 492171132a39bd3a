"""Programs on Node that speak to the clients by Redis, with Socket.IO's own emitters. It is imported only where it is switched on."""
