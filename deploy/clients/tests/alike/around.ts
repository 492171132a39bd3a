// What runs around the calls of chain.ts: guards, interceptors, pipes and exception filters.
import {
  type ArgumentsHost, type CallHandler, type CanActivate, Catch, type ExecutionContext, Injectable, type NestInterceptor,
  type PipeTransform, SetMetadata,
} from "@nestjs/common";
import { Reflector } from "@nestjs/core";
import { BaseWsExceptionFilter, WsException } from "@nestjs/websockets";
import { catchError, map, of, tap, throwError } from "rxjs";
import type { Socket } from "socket.io";

export class Lost extends Error {}
export class Missing extends Lost {}
export class Broken extends Error {}

export const refused = () => new WsException("It does not fit.");

@Injectable()
export class Cards {
  async title(id: string) {
    await Promise.resolve();
    if (id !== "a") throw new WsException(`There is no card ${id}.`);
    return "Card a";
  }
}

@Injectable()
export class LoadCard implements PipeTransform {
  constructor(private readonly cards: Cards) {}
  transform(id: string) {
    return this.cards.title(id);
  }
}

export class Shout implements PipeTransform {
  transform(text: string) {
    return text.toUpperCase();
  }
}

export const steps = (context: ExecutionContext) => (context.switchToWs().getClient<Socket>().data.steps ??= []) as string[];
export const isOrder = (context: ExecutionContext) => context.switchToWs().getPattern() === "order";

export const stepping = (name: string): CanActivate & NestInterceptor => ({
  canActivate(context) {
    if (isOrder(context)) steps(context).push(`${name} guard`);
    return true;
  },
  intercept(context: ExecutionContext, next: CallHandler) {
    if (!isOrder(context)) return next.handle();
    steps(context).push(`${name} before`);
    return next.handle().pipe(tap(() => steps(context).push(`${name} after`)));
  },
});

export const Role = (role: string) => SetMetadata("role", role);

@Injectable()
export class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext) {
    const role = this.reflector.getAllAndOverride<string>("role", [context.getHandler(), context.getClass()]);
    return role === undefined || context.switchToWs().getClient<Socket>().handshake.auth.role === role;
  }
}

export const welcome: CanActivate = {
  canActivate: (context) => {
    const call = context.switchToWs();
    return call.getPattern() === "fence" || call.getClient<Socket>().handshake.auth.name !== "stranger";
  },
};
export const closed: CanActivate = { canActivate: () => false };
export const explaining: CanActivate = {
  canActivate: () => {
    throw new WsException("Not today.");
  },
};
export const later: CanActivate = { canActivate: async () => Promise.resolve(true) };
export const inside: CanActivate = {
  canActivate: (context) => context.switchToWs().getData<{ room: string }>().room === "den",
};

export const wrapping: NestInterceptor = { intercept: (_, next) => next.handle().pipe(map((data) => ({ data }))) };
export const instead: NestInterceptor = { intercept: () => of("cached") };
export const healing: NestInterceptor = { intercept: (_, next) => next.handle().pipe(catchError(() => of("healed"))) };
export const translating: NestInterceptor = {
  intercept: (_, next) => next.handle().pipe(catchError(() => throwError(() => new WsException("Try later.")))),
};

@Catch(Broken)
export class OfTheApp extends BaseWsExceptionFilter {
  catch(_: Broken, host: ArgumentsHost) {
    super.catch(new WsException("It is broken."), host);
  }
}
@Catch(Lost)
export class OfTheClass extends BaseWsExceptionFilter {
  catch(error: Lost, host: ArgumentsHost) {
    super.catch(new WsException(`Lost ${error.message}.`), host);
  }
}
@Catch(Lost)
export class OfTheHandler extends BaseWsExceptionFilter {
  catch(error: Lost, host: ArgumentsHost) {
    super.catch(new WsException(`Nearer ${error.message}.`), host);
  }
}
@Catch()
export class Silent {
  catch() {}
}
@Catch()
export class Everything extends BaseWsExceptionFilter {
  catch(_: unknown, host: ArgumentsHost) {
    super.catch(new WsException("Something failed."), host);
  }
}
