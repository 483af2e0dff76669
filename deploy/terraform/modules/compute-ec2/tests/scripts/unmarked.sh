#!/usr/bin/env bash
echo no place for settings
