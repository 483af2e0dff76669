variable "name" {
  description = "Prefix of every resource's name."
  type        = string
}

variable "environment" {
  description = "dev, test or prod."
  type        = string
}

variable "cidr" {
  description = "Address range of the network. Subnets are its /24s: public from 0, private from 10, database from 20."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "The network is a /16: its subnets are numbered /24s."
  }
}

variable "zones" {
  description = "Number of availability zones."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "A load balancer and a Multi-AZ database need 2 zones; the address plan has room for 3."
  }
}

variable "nat" {
  description = "one: a single NAT gateway, whose zone is a single point of failure; per_zone: one per zone."
  type        = string
  default     = "one"

  validation {
    condition     = contains(["one", "per_zone"], var.nat)
    error_message = "nat must be one or per_zone."
  }
}

variable "database_port" {
  description = "The database's port, which the database tier's network ACL admits."
  type        = number
  default     = 5432
}

variable "cache_port" {
  description = "Port of a cache in the database tier, which the network ACL admits too; null: none."
  type        = number
  default     = null
}

variable "ipv6" {
  description = "Whether the public subnets have IPv6 ranges and a route, for a load balancer with IPv6 addresses."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "The key that encrypts the flow logs."
  type        = string
}

variable "flow_log_days" {
  description = "How long flow logs are kept."
  type        = number
  default     = 30
}
