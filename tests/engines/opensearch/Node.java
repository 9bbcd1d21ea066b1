// One OpenSearch node in one process, from the jars of its modules: java Node HOME PORT PLUGIN,PLUGIN,...
// All of it listens on loopback only. HOME must have a folder `config`; what it stores is in HOME/data.

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.plugins.Plugin;

public class Node extends org.opensearch.node.Node {
    Node(Environment environment, Collection<Class<? extends Plugin>> plugins) {
        super(environment, plugins, true);
    }

    public static void main(String[] args) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", args[0]).put("path.data", args[0] + "/data").put("path.logs", args[0] + "/logs")
            .put("cluster.name", "mixstore-tests").put("node.name", "one")
            .put("discovery.type", "single-node").put("network.host", "127.0.0.1")
            .put("http.port", args[1]).put("transport.port", "0")
            .put("http.type", "netty4").put("transport.type", "netty4")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("cluster.max_shards_per_node", 10000)
            .put("action.destructive_requires_name", false)
            .build();
        List<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (String name : args[2].split(",")) {
            plugins.add(Class.forName(name).asSubclass(Plugin.class));
        }
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "one");
        Node node = new Node(environment, plugins);
        node.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        Thread.currentThread().join();
    }
}
