package org.igniterealtime.openfire.plugin.heartbeat.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.handler.timeout.IdleStateHandler;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.openfire.nio.NettyConnectionHandler;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of Openfire's own idle timer, and of its word. */
class NettyIdleTimerTest extends NettyFixture {
    /** It costs at every read; nobody needs it while the core counts. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void takesTheIdleTimerOutWhileTheCoreIsInCharge(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 1;
        connect(1);
        await("a channel", () -> acceptor.channels.size() == 1);
        List<String> before = only().pipeline().names();
        adapter.look();
        connect(1);
        await("both to be watched", () -> core.number("opened") == 2);
        for (Channel channel : acceptor.channels) {
            await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
            // Openfire has pinged it, and was answered by a space, which is no sign of life to it.
            channel.attr(NettyConnectionHandler.IDLE_FLAG).set(true);
        }
        TimeUnit.SECONDS.sleep(2);
        assertEquals(0, core.number("idle_events"));
        assertEquals(0, acceptor.idle.get());

        core.stop();

        for (Channel channel : acceptor.channels) {
            await("an equal one", () -> channel.pipeline().get("idleStateHandler") != null);
            // Or Openfire would close it without a ping.
            assertNull(channel.attr(NettyConnectionHandler.IDLE_FLAG).get());
            List<String> names = new ArrayList<>(channel.pipeline().names());
            assertEquals(names.indexOf("keepAliveHandler"), names.indexOf("heartbeat-idle") + 1);
            names.removeIf(name -> name.startsWith("heartbeat-"));
            assertEquals(before, names);
            IdleStateHandler timer = (IdleStateHandler) channel.pipeline().get("idleStateHandler");
            assertEquals(IdleStateHandler.class, timer.getClass());
            assertEquals(1000, timer.getReaderIdleTimeInMillis());
            assertEquals(0, timer.getWriterIdleTimeInMillis());
            assertEquals(0, timer.getAllIdleTimeInMillis());
        }
        await("Openfire to hear of silence twice", () -> acceptor.idle.get() >= 2);
        assertEquals(0, acceptor.faults.get());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void handsOnWhenItWasLastReadFrom(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 30;
        adapter.look();
        Socket socket = connect(1).get(0);
        await("it to be watched", () -> core.number("opened") == 1);
        socket.getOutputStream().write(' ');
        assertEquals("<stream>", read(socket, 8));
        Channel channel = only();
        await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
        core.tick(8);
        adapter.detach();
        IdleStateHandler timer = (IdleStateHandler) channel.pipeline().get("idleStateHandler");
        assertEquals(30_000, timer.getReaderIdleTimeInMillis());
        // At once, for whoever comes next; and never more than it was, as it was read at the end of a tick perhaps.
        LastRead lastRead = new LastRead();
        long counted = lastRead.countedUs(channel);
        assertTrue(counted >= 7_000_000 && counted < 8_000_000, () -> counted + " us");
        // We know it as well as before: nobody is taken for seen later, however often we come and go.
        long age = lastRead.ageUs(channel);
        assertTrue(age >= 8_000_000 && age < 9_100_000, () -> age + " us");
        socket.getOutputStream().write(' ');
        await("the byte", () -> lastRead.countedUs(channel) < 5_000_000);
        assertTrue(lastRead.ageUs(channel) < 5_000_000, "a byte that is read counts");
    }

    /** Also between our leaving and the timer's beginning. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void missesNoReadWhileItGoes(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 30;
        List<Socket> sockets = connect(20);
        await("their channels", () -> acceptor.channels.size() == 20);
        LastRead lastRead = new LastRead();
        for (int i = 0; i < 20; i++) {
            NettyAdapter brief = newAdapter();
            brief.look();
            for (Channel channel : acceptor.channels) {
                await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
            }
            core.tick(20);
            for (Socket socket : sockets) {
                socket.getOutputStream().write(' ');
            }
            brief.detach();
            for (Socket socket : sockets) {
                assertEquals("<stream>", read(socket, 8));
            }
            for (Channel channel : acceptor.channels) {
                // The answer goes out before the timer has noted the read.
                await("the read to be known", () -> lastRead.ageUs(channel) < 5_000_000);
            }
        }
    }

    /** A timer that is not Openfire's own can not be put back as it was: it stays, and its word is kept from Openfire. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void keepsSilenceFromOpenfireWhileTheCoreIsInCharge(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.ownTimer = true;
        acceptor.idleSeconds = 1;
        adapter.look();
        connect(1);
        await("it to be watched", () -> core.number("opened") == 1);
        Channel channel = only();
        channel.attr(NettyConnectionHandler.IDLE_FLAG).set(true);

        await("the core to hear of it", () -> core.number("idle_events") >= 1);
        assertEquals(0, acceptor.idle.get());
        await("an earlier silence to be forgotten", () -> channel.attr(NettyConnectionHandler.IDLE_FLAG).get() == null);

        core.stop();
        await("Openfire to hear of it", () -> acceptor.idle.get() > 0);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void givesSilenceBackWhenItGoes(boolean ownThreads) throws Exception {
        open(ownThreads);
        acceptor.idleSeconds = 1;
        adapter.look();
        connect(1);
        await("it to be watched", () -> core.number("opened") == 1);
        adapter.detach();

        await("Openfire to hear of it", () -> acceptor.idle.get() > 0);
        assertEquals(0, core.number("idle_events"));
    }

    /** As in 4.8.0, where silence is timed behind the decoder; and behind TLS that has begun meanwhile. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void putsItBackInItsPlace(boolean timesLate) throws Exception {
        open(false);
        acceptor.timesLate = timesLate;
        acceptor.idleSeconds = 7;
        Socket socket = connect(1).get(0);
        Channel channel = only();
        List<String> before = new ArrayList<>(channel.pipeline().names());
        for (int i = 0; i < 3; i++) {
            NettyAdapter brief = newAdapter();
            brief.look();
            await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
            String filter = "filter" + i;
            channel.pipeline().addFirst(filter, new ChannelDuplexHandler());
            before.add(0, filter);
            socket.getOutputStream().write(' ');
            assertEquals("<stream>", read(socket, 8));
            brief.detach();
            assertEquals(before, channel.pipeline().names());
        }
        assertEquals(0, acceptor.faults.get());
    }

    @Test
    void takesItOutAgainWhenTheTicksComeBack() throws Exception {
        open(true);
        acceptor.idleSeconds = 60;
        adapter.look();
        connect(1);
        Channel channel = only();
        await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
        TimeUnit.SECONDS.sleep(4);
        assertNull(channel.pipeline().get("idleStateHandler"));
        await("it to be back, as nobody ticks", () -> channel.pipeline().get("idleStateHandler") != null);
        connect(1);
        await("a new one to be watched", () -> core.number("opened") == 2);
        for (Channel each : acceptor.channels) {
            assertNotNull(each.pipeline().get("idleStateHandler"));
        }

        // At once: the guard has not seen the new one's thread yet.
        core.tickOnTime();

        for (Channel each : acceptor.channels) {
            await("its idle timer to be out again", () -> each.pipeline().get("idleStateHandler") == null);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void leavesNothingInAChannelThatClosed(boolean ownThreads) throws Exception {
        open(ownThreads);
        adapter.look();
        Socket socket = connect(1).get(0);
        Channel channel = only();
        await("its idle timer to be out", () -> channel.pipeline().get("idleStateHandler") == null);
        socket.close();
        await("it to be over", () -> core.number("over") == 1);
        adapter.detach();
        await("its pipeline to be taken down", () -> channel.pipeline().names().size() == 1);
        assertEquals(0, acceptor.faults.get());
    }
}
