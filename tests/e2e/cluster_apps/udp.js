// Answers each datagram on PORT with its pid and the datagram.
'use strict';
const socket = require('dgram').createSocket({type: process.env.UDP || 'udp4', reuseAddr: !!process.env.REUSE});
socket.on('message', (message, from) => {
  socket.send(`${process.pid} ${message}`, from.port, from.address);
});
socket.bind(Number(process.env.PORT));
