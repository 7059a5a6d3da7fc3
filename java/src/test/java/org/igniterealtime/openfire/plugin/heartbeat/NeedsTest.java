package org.igniterealtime.openfire.plugin.heartbeat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class NeedsTest {
    private static final int UTF8 = 1;
    private static final int CLASS = 7;
    private static final int FIELD = 9;
    private static final int INTERFACE_METHOD = 11;
    private static final int NAME_AND_TYPE = 12;

    @Test
    void listsWhateverOurClassesUseOfOpenfire() throws Exception {
        Path classes = Path.of(Needs.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Set<String> used = new TreeSet<>();
        try (Stream<Path> files = Files.walk(classes)) {
            // The adapters look for themselves: each is for other servers.
            files.filter(file -> file.toString().endsWith(".class"))
                    .filter(file -> !file.getParent().endsWith("mina"))
                    .forEach(file -> {
                        addMembers(file, "org/jivesoftware/", used);
                        addMembers(file, "org/xmpp/", used);
                    });
        }
        assertEquals(String.join("\n", used), String.join("\n", Needs.members()));
    }

    @Test
    void findsAllOfItHere() throws Exception {
        Needs.check();
    }

    @Test
    void namesWhatIsMissing() {
        for (String missing : List.of(
                "org/jivesoftware/openfire/Connection.shut:()V",
                "org/jivesoftware/openfire/session/Session.getStatus:()Lorg/jivesoftware/openfire/session/Session$Status;",
                "org/xmpp/packet/IQ.<init>:(I)V",
                "org/xmpp/packet/IQ$Type.get:I")) {
            Exception thrown = assertThrows(ReflectiveOperationException.class, () -> Needs.check(missing));
            assertEquals(missing, thrown.getMessage());
        }
        Exception thrown =
                assertThrows(ReflectiveOperationException.class, () -> Needs.check("org/jivesoftware/None.any:()V"));
        assertEquals("org.jivesoftware.None", thrown.getMessage());
    }

    /** Members that a class refers to, of classes whose names begin so (JVM specification, section 4.4). */
    static void addMembers(Path file, String beginning, Set<String> members) {
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            in.readInt();
            in.readInt();
            int count = in.readUnsignedShort();
            int[] tags = new int[count];
            int[][] pairs = new int[count][];
            String[] texts = new String[count];
            for (int i = 1; i < count; i++) {
                tags[i] = in.readUnsignedByte();
                switch (tags[i]) {
                    case UTF8 -> texts[i] = in.readUTF();
                    case 5, 6 -> {
                        in.readLong();
                        i++;
                    }
                    case CLASS, 8, 16, 19, 20 -> pairs[i] = new int[] {in.readUnsignedShort()};
                    case 15 -> {
                        in.readUnsignedByte();
                        in.readUnsignedShort();
                    }
                    case 3, 4 -> in.readInt();
                    default -> pairs[i] = new int[] {in.readUnsignedShort(), in.readUnsignedShort()};
                }
            }
            for (int i = 1; i < count; i++) {
                if (tags[i] >= FIELD && tags[i] <= INTERFACE_METHOD) {
                    String owner = texts[pairs[pairs[i][0]][0]];
                    int[] member = pairs[pairs[i][1]];
                    assertEquals(NAME_AND_TYPE, tags[pairs[i][1]]);
                    if (owner.startsWith(beginning)) {
                        members.add(owner + "." + texts[member[0]] + ":" + texts[member[1]]);
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
