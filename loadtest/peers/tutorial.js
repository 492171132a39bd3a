// The tutorial's events, the same on every JavaScript server.
"use strict";

module.exports = (io) => {
  io.on("connection", (socket) => {
    socket.on("joinRoom", ({ roomId }, ack) => {
      socket.join(roomId);
      if (ack) ack("joined");
    });
    socket.on("chatMessage", ({ roomId, message }) => {
      io.to(roomId).emit("roomMessage", message);
    });
    socket.on("echo", (text, ack) => ack(text));
  });
};
