import Glibc
import Testing

@testable import AWS

struct ContainerCredentialsTests {
    private static let document = """
        {"RoleArn":"arn:aws:iam::1:role/r","AccessKeyId":"\(keys.id)","SecretAccessKey":"\(keys.secret)",\
        "Token":"\(keys.token)","Expiration":"2024-11-01T12:00:00Z"}
        """

    private func full(_ url: String) -> Environment {
        var environment = Environment()
        environment.containerCredentialsFullURI = url
        return environment
    }

    private func fetch(_ environment: Environment, agent: String = nobody) throws -> Credentials {
        try #require(try ContainerCredentials(environment, agent: agent)).fetch()
    }

    @Test func `without a URI there is no endpoint`() throws {
        #expect(try ContainerCredentials(Environment()) == nil)
    }

    @Test func `a relative URI is sent to the agent and takes precedence over a full one`() throws {
        try LoopbackServer { _ in .answer(200, Self.document) }.run { server in
            var environment = full(nobody)
            environment.containerCredentialsRelativeURI = Redacted("/v2/credentials/1?x=y")
            let credentials = try fetch(environment, agent: server.url)
            #expect(credentials.source == .container && credentials.accessKeyID == keys.id)
            #expect(
                credentials.secretAccessKey.exposed == keys.secret && credentials.sessionToken?.exposed == keys.token)
            #expect(credentials.expiry == 1_730_462_400)
            #expect(server.requests.map(\.path) == ["/v2/credentials/1?x=y"])
            #expect(server.requests[0].headers["authorization"] == nil)
        }
    }

    @Test(arguments: ["@example.com/", ".example.com", "v2/credentials", ":1/"])
    func `a relative URI cannot lead to another host`(path: String) {
        var environment = Environment()
        environment.containerCredentialsRelativeURI = Redacted(path)
        #expect(throws: CredentialsError.container(.invalidURL)) { try ContainerCredentials(environment) }
    }

    @Test func `a token is sent unchanged`() throws {
        try LoopbackServer { _ in .answer(200, Self.document) }.run { server in
            var environment = full(server.url + "/get")
            environment.containerAuthorizationToken = Redacted("Bearer abc")
            _ = try fetch(environment)
            #expect(server.requests[0].headers["authorization"] == "Bearer abc")
        }
    }

    @Test func `a token file is read for every request and takes precedence over the token`() throws {
        try LoopbackServer { _ in .answer(200, Self.document) }.run { server in
            try withFile("one\n") { path in
                var environment = full(server.url)
                environment.containerAuthorizationToken = Redacted("variable")
                environment.containerAuthorizationTokenFile = path
                let container = try #require(try ContainerCredentials(environment))
                _ = try container.fetch()
                write("two", to: path)
                _ = try container.fetch()
                #expect(server.requests.map { $0.headers["authorization"] } == ["one", "two"])
            }
        }
    }

    @Test func `a missing or empty token file is an error`() throws {
        var environment = full(nobody)
        environment.containerAuthorizationTokenFile = "/nonexistent/token"
        #expect(throws: CredentialsError.unreadableTokenFile) { try fetch(environment) }
        try withFile("\n") { path in
            environment.containerAuthorizationTokenFile = path
            #expect(throws: CredentialsError.unreadableTokenFile) { try fetch(environment) }
        }
    }

    @Test func `a token with a line break is rejected`() {
        var environment = full(nobody)
        environment.containerAuthorizationToken = Redacted("a\r\nX: y")
        #expect(throws: CredentialsError.container(.invalidHeader("Authorization"))) { try fetch(environment) }
    }

    @Test(arguments: [
        "https://example.com/x", "http://localhost/x", "http://127.0.0.1/x", "http://127.9.9.9/x", "http://[::1]/x",
        "http://169.254.170.2/x", "http://169.254.170.23/x", "http://[fd00:ec2::23]/x",
    ])
    func `https may use any host, http only this machine and the agents`(url: String) throws {
        #expect(try ContainerCredentials(full(url)) != nil)
    }

    @Test(arguments: [
        ("http://example.com/x", "example.com"), ("http://169.254.169.254/x", "169.254.169.254"),
        ("http://127.0.0.1.example.com/", "127.0.0.1.example.com"), ("http://127.example.com/", "127.example.com"),
        ("http://127.0.0.example/", "127.0.0.example"), ("http://localhost.example/", "localhost.example"),
        ("http://[fd00:ec2::24]/", "fd00:ec2::24"), ("http://10.0.0.1/", "10.0.0.1"),
    ])
    func `plain http to other hosts is rejected`(url: String, host: String) {
        #expect(throws: CredentialsError.unsafeContainerURI(host: host)) { try ContainerCredentials(full(url)) }
    }

    @Test(
        arguments: [
            ("", .malformed(.container)), ("[]", .malformed(.container)), ("{}", .unusable(.container, .accessKeyID)),
            (#"{"AccessKeyId":"A"}"#, .unusable(.container, .secretAccessKey)),
            (#"{"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"soon"}"#, .unusable(.container, .expiry)),
            (
                #"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot\nassume it"}"#,
                .refused(.container, code: "AssumeRoleUnauthorizedAccess", message: "EC2 cannot assume it")
            ), (#"{"Code":"Failed"}"#, .refused(.container, code: "Failed", message: "")),
        ] as [(String, CredentialsError)])
    func `an answer without credentials is an error`(body: String, error: CredentialsError) throws {
        try LoopbackServer { _ in .answer(200, body) }.run { server in
            #expect(throws: error) { try fetch(full(server.url)) }
        }
    }

    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        var name = Array("/tmp/aws-tests.XXXXXX".utf8CString)
        // mkstemp changes the array in place.
        let file = unsafe mkstemp(&name)
        try #require(file >= 0)
        close(file)
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The path is copied for the call.
        defer { unsafe unlink(path) }
        write(text, to: path)
        try body(path)
    }

    private func write(_ text: String, to path: String) {
        // The next call closes the file, and the text outlives both calls.
        guard let file = unsafe fopen(path, "w") else { preconditionFailure("\(path) cannot be written") }
        unsafe fputs(text, file)
        unsafe fclose(file)
    }
}
