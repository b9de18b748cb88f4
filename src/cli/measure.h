// holdfast model verify, bench, tune, profile, drift.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "cli/context.h"

namespace holdfast::cli {

void add_measuring(CLI::App& model, Chosen& chosen);
void add_drift(CLI::App& model, Chosen& chosen);

// The findings of a tuning as one HTML file with its plots in it; needs nothing from elsewhere.
std::string tune_report(const boost::json::object& findings, const std::string& title);
// A number for people: three figures.
std::string figure(double value);

}  // namespace holdfast::cli
