// What each of the gateways has: a fence.
import { ConnectedSocket, MessageBody, SubscribeMessage } from "@nestjs/websockets";
import type { Socket } from "socket.io";

export abstract class Fenced {
  @SubscribeMessage("fence")
  fence(@ConnectedSocket() client: Socket, @MessageBody() number: number) {
    client.emit("fenced", number);
    return "fence";
  }
}
