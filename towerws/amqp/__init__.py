"""The hardened AMQP 0-9-1 client: txamqp, subclassed.

txamqp 0.8.2 brings the specification's object model, the generated methods of a channel and the
classes that are extended here. Framing, the codec, deliveries, heartbeats and every way in which
a connection ends are our own, because the stock ones lose messages or hang
(`Client <towerws.amqp.client.Client>` says which). `towerws.amqp.connect.connect` is the way in.
"""
