import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** Drives the Java client; see kinds.py. */
public final class Client {
    private static final Map<String, Socket> CLIENTS = new HashMap<>();

    private Client() {}

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            carryOut(new JSONObject(line));
        }
        System.exit(0);
    }

    private static void carryOut(JSONObject asked) throws Exception {
        int id = asked.getInt("id");
        String name = asked.getString("client");
        switch (asked.getString("op")) {
            case "open":
                open(name, asked.getString("url"), asked.getJSONObject("options"));
                answer(id, JSONObject.NULL);
                break;
            case "emit":
                Ack ack = answered -> answer(id, packed(answered));
                CLIENTS.get(name).emit(asked.getString("event"), values(asked.getJSONArray("args")), ack);
                break;
            case "send":
                CLIENTS.get(name).emit(asked.getString("event"), values(asked.getJSONArray("args")));
                answer(id, JSONObject.NULL);
                break;
            default:
                CLIENTS.get(name).disconnect();
                answer(id, JSONObject.NULL);
        }
    }

    private static void open(String name, String url, JSONObject options) throws JSONException {
        IO.Options wanted = new IO.Options();
        wanted.forceNew = true;
        wanted.reconnectionDelay = 100;
        wanted.reconnectionDelayMax = 500;
        JSONArray transports = options.getJSONArray("transports");
        wanted.transports = new String[transports.length()];
        for (int place = 0; place < transports.length(); place++) {
            wanted.transports[place] = transports.getString(place);
        }
        // Its auth can only contain strings.
        JSONObject auth = options.optJSONObject("auth");
        if (auth != null) {
            wanted.auth = new HashMap<>();
            for (Iterator<?> keys = auth.keys(); keys.hasNext();) {
                String key = (String) keys.next();
                wanted.auth.put(key, auth.getString(key));
            }
        }
        Socket socket = IO.socket(URI.create(url), wanted);
        socket.on(Socket.EVENT_CONNECT, none -> happened(name, "connect"));
        socket.on(Socket.EVENT_DISCONNECT, why -> happened(name, "disconnect", String.valueOf(why[0])));
        socket.on(Socket.EVENT_CONNECT_ERROR, why -> happened(name, "connect_error", String.valueOf(why[0])));
        socket.onAnyIncoming(received -> {
            if (received[0].equals("question")) {
                Ack ack = (Ack) received[received.length - 1];
                ack.call(Arrays.copyOfRange(received, 1, received.length - 1));
            } else {
                happened(name, "event", received);
            }
        });
        CLIENTS.put(name, socket);
        socket.connect();
    }

    private static void happened(String name, String what, Object... args) {
        JSONObject line = new JSONObject();
        put(line, "client", name);
        put(line, "happened", what);
        put(line, "args", packed(args));
        print(line);
    }

    private static void answer(int id, Object ok) {
        JSONObject line = new JSONObject();
        put(line, "id", id);
        put(line, "ok", ok);
        print(line);
    }

    private static synchronized void print(JSONObject line) {
        System.out.println(line);
    }

    private static void put(JSONObject line, String key, Object value) {
        try {
            line.put(key, value);
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Returns values in a form that JSON can represent. */
    private static JSONArray packed(Object[] values) {
        JSONArray all = new JSONArray();
        for (Object value : values) {
            all.put(packed(value));
        }
        return all;
    }

    private static Object packed(Object value) {
        try {
            if (value instanceof byte[]) {
                return new JSONObject().put("base64", Base64.getEncoder().encodeToString((byte[]) value));
            }
            if (value instanceof JSONArray) {
                return packed(values((JSONArray) value));
            }
            if (value instanceof JSONObject) {
                JSONObject all = new JSONObject();
                for (Iterator<?> keys = ((JSONObject) value).keys(); keys.hasNext();) {
                    String key = (String) keys.next();
                    all.put(key, packed(((JSONObject) value).get(key)));
                }
                return all;
            }
            return value == null ? JSONObject.NULL : value;
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Returns values in the form that the client sends. */
    private static Object[] values(JSONArray array) throws JSONException {
        Object[] all = new Object[array.length()];
        for (int place = 0; place < all.length; place++) {
            all[place] = unpacked(array.get(place));
        }
        return all;
    }

    private static Object unpacked(Object value) throws JSONException {
        if (value instanceof JSONObject) {
            JSONObject object = (JSONObject) value;
            if (object.opt("base64") instanceof String) {
                return Base64.getDecoder().decode(object.getString("base64"));
            }
            JSONObject all = new JSONObject();
            for (Iterator<?> keys = object.keys(); keys.hasNext();) {
                String key = (String) keys.next();
                all.put(key, unpacked(object.get(key)));
            }
            return all;
        }
        if (value instanceof JSONArray) {
            JSONArray all = new JSONArray();
            for (Object one : values((JSONArray) value)) {
                all.put(one);
            }
            return all;
        }
        return value;
    }
}
