import Testing

@testable import AWS

struct InstanceIdentityTests {
    private func environment(metadata: String = nobody, ecs: String? = nil) -> Environment {
        var environment = Environment.instance(metadata)
        environment.ecsMetadataURI = ecs
        return environment
    }

    private static let task =
        #"{"Cluster":"c","TaskARN":"arn:aws:ecs:eu-west-1:1:task/c/158d1c8083dd49d6b527399fd6414f5c"}"#

    @Test func `is the instance's id`() throws {
        try LoopbackServer(StrictMetadata().reply).run { server in
            #expect(InstanceIdentity.discover(environment(metadata: server.url)) == "i-1234567890abcdef0")
        }
    }

    @Test func `is the task's id if there is no instance metadata`() throws {
        try LoopbackServer { $0.path == "/v4/abc/task" ? .answer(200, Self.task) : .answer(404) }.run { server in
            let found = InstanceIdentity.discover(environment(ecs: server.url + "/v4/abc"))
            #expect(found == "158d1c8083dd49d6b527399fd6414f5c")
        }
    }

    @Test func `is nil if there is neither`() {
        #expect(InstanceIdentity.discover(environment()) == nil)
        #expect(InstanceIdentity.discover(environment(ecs: nobody)) == nil)
    }

    @Test(arguments: ["", "{}", #"{"TaskARN":""}"#, #"{"TaskARN":"a/b c"}"#])
    func `is nil when the task's metadata is malformed`(body: String) throws {
        try LoopbackServer { _ in .answer(200, body) }.run { server in
            #expect(InstanceIdentity.discover(environment(ecs: server.url)) == nil)
        }
    }

    @Test(arguments: ["<html>", "i-1\nX", String(repeating: "i", count: 65)])
    func `an invalid id is not used`(id: String) throws {
        var metadata = StrictMetadata()
        metadata.values["instance-id"] = id
        try LoopbackServer(metadata.reply).run { server in
            #expect(InstanceIdentity.discover(environment(metadata: server.url)) == nil)
        }
    }

    @Test func `takes at most two seconds without a response`() throws {
        try LoopbackServer { _ in .silence }.run { server in
            let began = ContinuousClock.now
            #expect(InstanceIdentity.discover(environment(metadata: server.url, ecs: server.url)) == nil)
            #expect(ContinuousClock.now - began < .seconds(2))
            #expect(server.requests.count == 2, "each was asked once")
        }
    }
}
