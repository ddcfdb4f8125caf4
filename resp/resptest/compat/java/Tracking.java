import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.support.caching.CacheAccessor;
import io.lettuce.core.support.caching.ClientSideCaching;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient.Builder;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.csc.CacheConfig;

/** Jedis and Lettuce with their client-side caches: java -cp … Tracking.java HOST PORT. */
class Tracking {
  public static void main(String[] args) {
    String host = args[0];
    int port = Integer.parseInt(args[1]);
    try (Jedis other = new Jedis(host, port)) {
      jedis(host, port, other);
      lettuce(host, port, other);
    }
    System.exit(0); // Lettuce's threads take their time
  }

  static void jedis(String host, int port, Jedis other) {
    other.flushAll();
    try (UnifiedJedis near = redis.clients.jedis.RedisClient.builder()
        .hostAndPort(new HostAndPort(host, port))
        .clientConfig(DefaultJedisClientConfig.builder().protocol(RedisProtocol.RESP3).build())
        .cacheConfig(CacheConfig.builder().maxSize(100).build()).build()) {
      other.set("price", "1");
      long before = hits(other);
      for (int i = 0; i < 5; i++) check("1", near.get("price"));
      check(1L, hits(other) - before);
      other.set("price", "2");
      until("2", () -> near.get("price"));
      other.hset("h", "a", "1");
      check(Map.of("a", "1"), near.hgetAll("h"));
      other.hset("h", "a", "2");
      until("2", () -> near.hgetAll("h").get("a"));
      other.psetex("brief", 20, "v");
      near.get("brief");
      until(null, () -> near.get("brief"));
      other.set("k", "v");
      check("v", near.get("k"));
      other.flushAll();
      until(null, () -> near.get("k"));
    }
    System.out.println("jedis: ok");
  }

  static void lettuce(String host, int port, Jedis other) {
    other.flushAll();
    Map<String, String> copies = new ConcurrentHashMap<>();
    RedisClient client = RedisClient.create(RedisURI.create(host, port));
    client.setOptions(ClientOptions.builder().protocolVersion(ProtocolVersion.RESP3).build());
    try (var connection = client.connect()) {
      var near = ClientSideCaching.enable(CacheAccessor.forMap(copies), connection, TrackingArgs.Builder.enabled());
      other.set("price", "1");
      check("1", near.get("price"));
      check("1", copies.get("price"));
      other.set("price", "2");
      until("2", () -> near.get("price"));
      other.psetex("brief", 20, "v");
      near.get("brief");
      until(null, () -> copies.get("brief"));
    }
    System.out.println("lettuce: ok");
  }

  static long hits(Jedis c) {
    for (String line : c.info("stats").split("\r\n"))
      if (line.startsWith("keyspace_hits:")) return Long.parseLong(line.substring(14));
    throw new AssertionError("INFO has no keyspace_hits");
  }

  static void check(Object want, Object got) {
    if (!java.util.Objects.equals(want, got)) throw new AssertionError("got " + got + ", want " + want);
  }

  static void until(String want, Supplier<String> call) {
    for (long end = System.nanoTime() + 10_000_000_000L; ; Thread.onSpinWait()) {
      String got = call.get();
      if (java.util.Objects.equals(want, got)) return;
      if (System.nanoTime() > end) throw new AssertionError("still " + got + ", want " + want);
    }
  }
}
