import Configuration
import FoundationEssentials
import Testing

@testable import Chassis

struct ConfigurationTests {
    @Test(arguments: [
        (nil, nil, 48), (nil, 100, 48), (nil, 40, 30), (nil, 8, 16), (60, nil, 60), (60, 100, 60), (60, 40, 30),
    ])
    func `buffers get the requested memory, at most three quarters of the group's`(
        asked: Int?, limit: Int?, mebibytes: Int
    ) {
        let (configuration, errors) = Configuration.examine(
            for: service, from: reader(of: asked.map { ["MEMORY_MIB": "\($0)"] } ?? [:]), needsDatabase: false,
            secretsDirectory: "/nowhere", memoryLimit: limit.map { $0 * 1_048_576 })
        #expect(configuration.memoryByteLimit == mebibytes * 1_048_576 && errors.isEmpty)
    }

    /// The line and the warnings on buffers in a control group of `limit` MiB.
    private func told(_ variables: [String: String], within limit: Int) -> (line: String?, warnings: [String]) {
        let configuration = Configuration.examine(
            for: service, from: reader(of: variables), needsDatabase: false, secretsDirectory: "/nowhere",
            memoryLimit: limit * 1_048_576
        ).configuration
        return (configuration.lines.first { $0.hasPrefix("MEMORY_MIB=") }, configuration.warnings)
    }

    @Test func `buffers of the requested or default size are shown without a warning`() {
        #expect(told([:], within: 64) == ("MEMORY_MIB=48 (default)", []))
        #expect(told(["MEMORY_MIB": "48"], within: 64) == ("MEMORY_MIB=48", []))
    }

    @Test func `buffers smaller than requested are shown, with a warning that has both numbers`() {
        let (line, warnings) = told(["MEMORY_MIB": "49"], within: 64)
        #expect(line == "MEMORY_MIB=48 (49 is above three quarters of the cgroup's limit)")
        #expect(warnings == ["MEMORY_MIB is 48 instead of 49: three quarters of the cgroup's memory limit"])
    }

    @Test func `a group too small for the minimum buffers gives a warning`() {
        let connections = ["MAX_CONNECTIONS": "100"]
        #expect(
            told(connections, within: 21).warnings
                == ["The cgroup's memory limit of 21 MiB is too small for the 16 MiB of MEMORY_MIB"])
        #expect(told(connections, within: 22).warnings == [])
    }

    @Test func `allowed bodies that never fit into the budget give a warning`() {
        // Eleven sixteenths of 48 MiB.
        let most = 33 * 1_048_576
        #expect(told(["MAX_BODY_BYTES": "\(most)"], within: 64).warnings == [])
        #expect(
            told(["MAX_BODY_BYTES": "\(most + 1)"], within: 64).warnings == [
                "MAX_BODY_BYTES is more than MEMORY_MIB leaves for bodies: those above \(most) bytes are answered 503"
            ])
    }

    @Test func `every variable has its documented default`() throws {
        let configuration = try read([:])
        #expect(configuration.environment == "dev")
        #expect(configuration.instanceID == nil)

        let http = configuration.http
        #expect(http.port == 5001)
        #expect(http.host == "::")
        #expect(http.adminPort == nil)
        #expect(http.workers == usableCores())
        #expect(http.basePath == "")
        #expect(http.maxConnections == 10_000)
        #expect(http.maxBodyBytes == 1_048_576)
        #expect(http.maxHeaderBytes == 65_536)
        #expect(http.maxHeaderCount == 128)
        #expect(http.headerTimeout == .milliseconds(10_000))
        #expect(http.bodyTimeout == .milliseconds(30_000))
        #expect(http.writeTimeout == .milliseconds(30_000))
        #expect(http.requestTimeout == .milliseconds(15_000))
        #expect(http.keepAliveTimeout == .milliseconds(75_000))

        #expect(configuration.health.paths == ["/healthz", "/api/health", "/api/v1/health"])
        #expect(configuration.health.databaseGrace == .milliseconds(0))

        let database = configuration.database
        #expect(database.host == nil)
        #expect(database.port == "5432")
        #expect(database.name == "items")
        #expect(database.user == "items")
        #expect(database.password == nil)
        #expect(database.sslMode == .prefer)
        #expect(database.sslRootCertificate == nil)
        #expect(database.usesPreparedStatements)
        #expect(database.secretID == nil)
        #expect(database.migratesOnStart)
        #expect(database.poolMinimum == 2)
        #expect(database.poolMaximum == 10)
        #expect(database.poolTimeout == .milliseconds(3000))
        #expect(database.statementTimeout == .milliseconds(5000))
        #expect(database.connectTimeout == .milliseconds(3000))

        #expect(configuration.aws.region == nil)
        #expect(configuration.logging.level == .info)
        #expect(configuration.logging.logsAccess)
        #expect(configuration.drain.delay == .milliseconds(5000))
        #expect(configuration.drain.timeout == .milliseconds(20_000))
        #expect(configuration.warnings == [])
    }

    @Test func `an empty value counts as unset`() throws {
        let empty = Dictionary(uniqueKeysWithValues: Configuration.variables(of: service).map { ($0.name, "") })
        #expect(try read(empty).lines == read([:]).lines)
    }

    @Test func `each name is in the table once`() {
        let names = Configuration.variables(of: service).map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test func `every given value is used`() throws {
        let configuration = try read([
            "ENVIRONMENT": "prod", "INSTANCE_ID": "i-1", "PORT": "0", "HOST": "localhost", "ADMIN_PORT": "9090",
            "WORKERS": "3", "BASE_PATH": "/x/", "HEALTH_PATHS": "/a, /b/c", "DB_HOST": "a,b", "DB_PORT": "6432",
            "DB_PREPARED": "false", "MIGRATE_ON_START": "0", "DB_SSLMODE": "require", "DB_POOL_MIN": "7",
            "DB_POOL_MAX": "7", "LOG_LEVEL": "WARNING", "ACCESS_LOG": "true", "AWS_SECRET_ACCESS_KEY": "k",
            "AWS_ENDPOINT_URL": "http://[::1]:5000", "DRAIN_DELAY_MS": "0",
        ])
        #expect(configuration.environment == "prod")
        #expect(configuration.instanceID == "i-1")
        #expect(configuration.http.port == 0)
        #expect(configuration.http.host == "127.0.0.1")
        #expect(configuration.http.adminPort == 9090)
        #expect(configuration.http.workers == 3)
        #expect(configuration.http.basePath == "/x")
        #expect(configuration.health.paths == ["/a", "/b/c"])
        #expect(configuration.database.host == "a,b")
        #expect(configuration.database.port == "6432")
        #expect(!configuration.database.usesPreparedStatements)
        #expect(!configuration.database.migratesOnStart)
        #expect(configuration.database.sslMode == .require)
        #expect(configuration.database.poolMinimum == 7)
        #expect(configuration.logging.level == .warning)
        #expect(configuration.logging.logsAccess)
        #expect(configuration.aws.secretAccessKey?.exposed == "k")
        #expect(configuration.aws.endpointURL == "http://[::1]:5000")
        #expect(configuration.drain.delay == .milliseconds(0))
    }

    @Test(arguments: [
        ("a", "1", true), ("a,b", "1", true), ("a,b", "1,65535", true), ("a", "1,2", false), ("a,b,c", "1,2", false),
        ("a", "0", false), ("a,b", "1,", false), ("a,b", "1, 2", false), ("a", "65536", false), ("a", "x", false),
    ])
    func `there is one port for all hosts or one per host`(hosts: String, ports: String, isGood: Bool) {
        let given = ["DB_HOST": hosts, "DB_PORT": ports]
        #expect((try? read(given, needsDatabase: true))?.database.port == (isGood ? ports : nil))
    }

    @Test func `the host may come from the secret`() throws {
        #expect(try read(["DB_SECRET_ID": "items/db"], needsDatabase: true).database.host == nil)
    }

    @Test func `all invalid values are named together, in the table's order`() throws {
        let error = try #require(throws: ConfigurationErrors.self) {
            try read(
                [
                    "DRAIN_DELAY_MS": "-1", "PORT": "65536", "HOST": "example.org", "LOG_LEVEL": "loud",
                    "DB_PREPARED": "yes", "ENVIRONMENT": "a b", "DB_SSLMODE": "on", "TRUSTED_PROXIES": "10.0.0.0/8,x",
                    "HEALTH_PATHS": "health", "BASE_PATH": "x", "AWS_ENDPOINT_URL": "ftp://x", "DB_NAME": "a\nb",
                    "DB_SSLROOTCERT": "/nowhere/root.pem",
                ], needsDatabase: true)
        }
        #expect(
            error.errors.map(\.variables) == [
                ["ENVIRONMENT"], ["PORT"], ["HOST"], ["BASE_PATH"], ["TRUSTED_PROXIES"], ["HEALTH_PATHS"], ["DB_HOST"],
                ["DB_NAME"], ["DB_SSLMODE"], ["DB_SSLROOTCERT"], ["DB_PREPARED"], ["AWS_ENDPOINT_URL"], ["LOG_LEVEL"],
                ["DRAIN_DELAY_MS"],
            ])
        #expect(error.description.contains("PORT must be a whole number from 0 to 65535"))
    }

    @Test(arguments: ["+5", "-5", " 5", "5 ", "5.0", "0x5", "5s", "٥", "99999999999999999999", "1e3", "0", "1001"])
    func `a number is plain digits within its range`(text: String) {
        #expect(badVariables(["DB_POOL_MAX": text]) == [["DB_POOL_MAX"]])
    }

    @Test(arguments: ["x", "x/", "//x", "/x//y", "/x y", "/x?y", "/x%20y", "http://x/y"])
    func `a base path must be a plain absolute path`(text: String) {
        #expect(badVariables(["BASE_PATH": text]) == [["BASE_PATH"]])
    }

    @Test(arguments: ["/..", "/./x", "/x/../y", "/x/."])
    func `a path with a dot segment is rejected`(text: String) {
        #expect(badVariables(["BASE_PATH": text]) == [["BASE_PATH"]])
        #expect(badVariables(["HEALTH_PATHS": text]) == [["HEALTH_PATHS"]])
    }

    @Test(arguments: [
        "/", "/health", "/health/live", "/health/ready", "/db", "/metrics", "/openapi.json", "/api/items",
        "/api/items/5",
        "/a,/a",
        "/a,/b,/a", "/a,/a/", "/ping/", "/api/items/", "/a/b/,/c",
    ])
    func `a health path is rejected if it is served otherwise, repeated or ends with a slash`(text: String) {
        #expect(badVariables(["HEALTH_PATHS": text, "BASE_PATH": "/x"]) == [["HEALTH_PATHS"]])
    }

    @Test(arguments: ["/ping", "/healthy", "/health/x", "/api/items/5/x", "/api", "/db/x,/metrics/x", "/a,/a/b,/A"])
    func `a health path may be added to the standard ones`(text: String) {
        #expect(badVariables(["HEALTH_PATHS": text]) == [])
    }

    @Test(arguments: [
        ("::0", "::"), ("0:0:0:0:0:0:0:0", "::"), ("0::", "::"), ("::0.0.0.0", "::"), ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:0.0.0.0", "0.0.0.0"), ("0:0::1", "::1"), ("FE80::1", "fe80::1"), ("127.0.0.1", "127.0.0.1"),
    ])
    func `an address to listen on is normalized`(text: String, spelling: String) throws {
        let configuration = try read(["HOST": text])
        #expect(configuration.http.host == spelling)
        #expect(configuration.lines.contains("HOST=\(spelling)"))
    }

    @Test func `a base path loses its trailing slashes`() throws {
        #expect(try read(["BASE_PATH": "/"]).http.basePath == "")
        #expect(try read(["BASE_PATH": "/a/b//"]).http.basePath == "/a/b")
    }

    @Test func `none empties a list`() throws {
        let configuration = try read(["HEALTH_PATHS": "none", "TRUSTED_PROXIES": "none"])
        #expect(configuration.health.paths == [])
        #expect(try configuration.http.trustedProxies == TrustedProxies([]))
    }

    @Test func `the pool's minimum must not exceed its maximum`() {
        #expect(badVariables(["DB_POOL_MIN": "11"]) == [["DB_POOL_MIN", "DB_POOL_MAX"]])
        #expect(badVariables(["DB_POOL_MAX": "1"]) == [["DB_POOL_MIN", "DB_POOL_MAX"]])
        #expect(badVariables(["DB_POOL_MIN": "11", "DB_POOL_MAX": "x"]) == [["DB_POOL_MAX"]])
    }

    @Test func `the request timeout must exceed the pool's wait and the statement's timeout`() {
        let ladder = ["DB_POOL_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_MS", "REQUEST_TIMEOUT_MS"]
        #expect(badVariables(["REQUEST_TIMEOUT_MS": "8000"]) == [ladder])
        #expect(badVariables(["REQUEST_TIMEOUT_MS": "8001"]) == [])
        #expect(badVariables(["DB_STATEMENT_TIMEOUT_MS": "12000"]) == [ladder])
        #expect(
            badVariables(["DB_STATEMENT_TIMEOUT_MS": "12000", "DB_POOL_TIMEOUT_MS": "x"]) == [["DB_POOL_TIMEOUT_MS"]])
    }

    @Test func `the two ports must differ`() {
        #expect(badVariables(["ADMIN_PORT": "5001"]) == [["PORT", "ADMIN_PORT"]])
    }

    @Test func `a keep-alive below the load balancer's only gives a warning`() throws {
        #expect(try read(["KEEPALIVE_TIMEOUT_MS": "60000"]).warnings.count == 1)
        #expect(try read(["KEEPALIVE_TIMEOUT_MS": "60001"]).warnings.count == 0)
    }

    @Test func `a connection limit above the memory is lowered and shown, with a warning`() throws {
        let small = try read(["MEMORY_MIB": "16"])
        let most = small.http.maxConnections
        #expect((1000..<10_000).contains(most))
        #expect(
            small.warnings == [
                "MAX_CONNECTIONS is lowered from 10000 to \(most): MEMORY_MIB of 16 has room for no more"
            ])
        #expect(
            small.lines.contains("MAX_CONNECTIONS=\(most) (10000 is more than MEMORY_MIB of 16 has room for)"))
        #expect(try read(["MEMORY_MIB": "16", "MAX_CONNECTIONS": "\(most)"]).warnings == [])
        #expect(try read(["MEMORY_MIB": "16", "MAX_CONNECTIONS": "\(most + 1)"]).http.maxConnections == most)
        #expect(badVariables(["MEMORY_MIB": "16", "MAX_CONNECTIONS": "x"]) == [["MAX_CONNECTIONS"]])
    }

    @Test func `a command that needs the database requires its address`() throws {
        #expect(throws: ConfigurationErrors.self) { try read([:], needsDatabase: true) }
        _ = try read(["DB_HOST": "db"], needsDatabase: true)
    }

    @Test func `a root certificate implies full verification`() throws {
        try withDirectory { directory in
            let certificate = "\(directory)/root.pem"
            try Data("x".utf8).write(to: URL(filePath: certificate))
            #expect(try read(["DB_SSLROOTCERT": certificate]).database.sslMode == .verifyFull)
            #expect(try read(["DB_SSLROOTCERT": certificate]).lines.contains("DB_SSLMODE=verify-full (default)"))
            #expect(try read(["DB_SSLROOTCERT": certificate, "DB_SSLMODE": "require"]).database.sslMode == .require)
            #expect(try read(["DB_SSLROOTCERT": certificate, "DB_SSLMODE": "verify-ca"]).database.sslMode == .verifyCA)
            #expect(badVariables(["DB_SSLROOTCERT": directory]) == [["DB_SSLROOTCERT"]])
        }
    }

    @Test(arguments: ["verify-ca", "verify-full"])
    func `verification requires a certificate`(mode: String) {
        #expect(badVariables(["DB_SSLMODE": mode]) == [["DB_SSLMODE", "DB_SSLROOTCERT"]])
    }

    @Test func `lines show every variable in the table's order and mark defaults`() throws {
        let lines = try read(["PORT": "080", "WORKERS": "4", "DB_PREPARED": "true"]).lines
        #expect(lines.map { String($0.prefix { $0 != "=" }) } == Configuration.variables(of: service).map(\.name))
        #expect(lines.contains("PORT=80"))
        #expect(lines.contains("WORKERS=4"))
        #expect(lines.contains("DB_PREPARED=1"))
        #expect(lines.contains("LOG_LEVEL=info (default)"))
        #expect(lines.contains("DB_HOST= (unset)"))
    }

    @Test func `an invalid value is shown with escaped control characters`() {
        let reader = reader(of: ["DB_NAME": "a\u{1B}[31m", "PORT": "8080"])
        let lines = Configuration.examine(for: service, from: reader, secretsDirectory: "/nowhere").configuration.lines
        #expect(lines.contains("DB_NAME=a\\u{1B}[31m (bad)"))
        #expect(lines.contains("PORT=8080"))
    }

    @Test func `a secret is never shown`() throws {
        let secrets = Configuration.variables(of: service).filter(\.isSecret).map(\.name)
        #expect(secrets.contains("DB_PASSWORD"))
        let configuration = try read(Dictionary(uniqueKeysWithValues: secrets.map { ($0, "hush") }))
        #expect(configuration.database.password?.exposed == "hush")
        var dumped = ""
        dump(configuration, to: &dumped)
        let seen = [
            dumped, "\(configuration)", String(reflecting: configuration), configuration.lines.joined(separator: "\n"),
            "\(configuration.database.password!)", String(reflecting: configuration.database.password),
            String(describing: Mirror(reflecting: configuration.database.password!).children.map(\.value)),
        ]
        for text in seen { #expect(!text.contains("hush")) }
        #expect(dumped.contains(Secret.redacted))
        for name in secrets { #expect(configuration.lines.contains("\(name)=<redacted>")) }
    }

    @Test func `an invalid secret is not in the error`() {
        let given = ["AWS_SECRET_ACCESS_KEY": "hush\n"]
        let (configuration, errors) = Configuration.examine(for: service, from: reader(of: given), needsDatabase: false)
        #expect(errors.map(\.variables) == [["AWS_SECRET_ACCESS_KEY"]])
        #expect(!"\(errors)\(configuration)".contains("hush"))
        #expect(configuration.lines.contains("AWS_SECRET_ACCESS_KEY=<redacted> (bad)"))
    }

    @Test func `a password may contain any character`() throws {
        let password = "tab\t line\n \u{7F} end"
        #expect(try read(["DB_PASSWORD": password]).database.password?.exposed == password)
    }

    @Test func `the region has two names, as in the AWS SDKs`() throws {
        #expect(try read(["AWS_DEFAULT_REGION": "eu-west-1"]).aws.region == "eu-west-1")
        #expect(try read(["AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "us-east-2"]).aws.region == "us-east-2")
    }

    @Test(
        arguments: [(nil, false), ("true", true), ("True", true), ("1", true), ("false", false)] as [(String?, Bool)])
    func `the metadata service is used unless it is disabled`(text: String?, isDisabled: Bool) throws {
        let configuration = try read(["AWS_EC2_METADATA_DISABLED": text ?? ""])
        #expect(configuration.aws.isMetadataServiceDisabled == isDisabled)
    }
}

struct PasswordTests {
    @Test func `the named file takes precedence over both directories and the variable`() throws {
        try withPlaces { places in
            var given = places.all
            func find() throws -> String? {
                try read(given, secretsDirectory: places.secrets).database.password?.exposed
            }
            #expect(try find() == "from the file")
            given["DB_PASSWORD_FILE"] = nil
            #expect(try find() == "from systemd")
            given["CREDENTIALS_DIRECTORY"] = nil
            #expect(try find() == "from the container")
            try FileManager.default.removeItem(atPath: "\(places.secrets)/db-password")
            #expect(try find() == "from the variable")
            given["DB_PASSWORD"] = nil
            #expect(try find() == nil)
        }
    }

    @Test func `a directory without the file is skipped`() throws {
        try withPlaces { places in
            try FileManager.default.removeItem(atPath: "\(places.credentials)/db-password")
            var given = places.all
            given["DB_PASSWORD_FILE"] = nil
            let configuration = try read(given, secretsDirectory: places.secrets)
            #expect(configuration.database.password?.exposed == "from the container")
        }
    }

    @Test func `the source is shown, and that the variable is not used`() throws {
        try withPlaces { places in
            let configuration = try read(places.all, secretsDirectory: places.secrets)
            #expect(configuration.lines.contains("DB_PASSWORD=<redacted> (from \(places.file))"))
            #expect(configuration.warnings == ["DB_PASSWORD is not used, because \(places.file) holds the password"])
        }
    }

    @Test func `the password is read again for each use`() throws {
        try withPlaces { places in
            let source = try read(places.all).database.passwordSource
            try Data("changed\n".utf8).write(to: URL(filePath: places.file))
            #expect(try source.current()?.exposed == "changed")
            try FileManager.default.removeItem(atPath: places.file)
            #expect(throws: ConfigurationError.self) { try source.current() }
        }
    }

    @Test func `the origin names the source`() throws {
        try withPlaces { places in
            var given = places.all
            func origin() throws -> String? {
                try read(given, secretsDirectory: places.secrets).database.passwordOrigin
            }
            #expect(try origin() == "DB_PASSWORD_FILE (\(places.file))")
            given["DB_PASSWORD_FILE"] = nil
            #expect(try origin() == "$CREDENTIALS_DIRECTORY/db-password (\(places.credentials)/db-password)")
            given["CREDENTIALS_DIRECTORY"] = nil
            #expect(try origin() == "\(places.secrets)/db-password")
            try FileManager.default.removeItem(atPath: "\(places.secrets)/db-password")
            #expect(try origin() == "DB_PASSWORD")
            given["DB_PASSWORD"] = nil
            #expect(try origin() == nil)
        }
    }

    @Test func `one trailing line end is not part of the password`() throws {
        try withPlaces { places in
            let files = [
                ("a\n", "a"), ("a\n\n", "a\n"), ("a\r\n", "a"), ("a\r\n\r\n", "a\r\n"), ("a\r\r\n", "a\r"),
                ("a\r", "a\r"),
                (" a ", " a "), ("a b'$%ü", "a b'$%ü"),
            ]
            for (text, password) in files {
                try Data(text.utf8).write(to: URL(filePath: places.file))
                #expect(try read(places.all).database.password?.exposed == password)
            }
        }
    }

    @Test func `a file without a valid password is an error and never skipped`() throws {
        try withPlaces { places in
            let tooLong = [UInt8](repeating: 0x61, count: PasswordSource.byteLimit + 1)
            let bad = [[], [0x0A], [0x0D, 0x0A], [0x61, 0x00, 0x62], [0xFF], tooLong]
            for bytes in bad {
                try Data(bytes).write(to: URL(filePath: places.file))
                #expect(badVariables(places.all) == [["DB_PASSWORD_FILE"]])
            }
            #expect(badVariables(["DB_PASSWORD_FILE": "/nowhere", "DB_PASSWORD": "x"]) == [["DB_PASSWORD_FILE"]])
            #expect(badVariables(["DB_PASSWORD_FILE": places.secrets]) == [["DB_PASSWORD_FILE"]])
        }
    }

    private struct Places {
        let file: String
        let credentials: String
        let secrets: String

        var all: [String: String] {
            ["DB_PASSWORD_FILE": file, "CREDENTIALS_DIRECTORY": credentials, "DB_PASSWORD": "from the variable"]
        }
    }

    private func withPlaces(_ body: (Places) throws -> Void) throws {
        try withDirectory { directory in
            let places = Places(
                file: "\(directory)/password", credentials: "\(directory)/credentials", secrets: "\(directory)/secrets")
            for path in [places.credentials, places.secrets] {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            }
            try Data("from the file\n".utf8).write(to: URL(filePath: places.file))
            try Data("from systemd\n".utf8).write(to: URL(filePath: "\(places.credentials)/db-password"))
            try Data("from the container\n".utf8).write(to: URL(filePath: "\(places.secrets)/db-password"))
            try body(places)
        }
    }
}

private func reader(of values: [String: String]) -> ConfigReader {
    let pairs = values.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
    return ConfigReader(provider: InMemoryProvider(values: Dictionary(uniqueKeysWithValues: pairs)))
}

private func read(
    _ values: [String: String], needsDatabase: Bool = false, secretsDirectory: String = "/nowhere"
) throws(ConfigurationErrors) -> Configuration {
    try Configuration.read(
        for: service, from: reader(of: values), needsDatabase: needsDatabase, secretsDirectory: secretsDirectory)
}

private func badVariables(_ values: [String: String]) -> [[String]] {
    Configuration.examine(for: service, from: reader(of: values), needsDatabase: false, secretsDirectory: "/nowhere")
        .errors.map(
            \.variables)
}

private func withDirectory(_ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "items-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
}
